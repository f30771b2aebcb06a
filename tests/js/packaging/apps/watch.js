// Imports the entries that it is given, while whatever could be a side effect is watched; prints what was called. Then it takes a
// lock, to show that the watching works.
const [, , url, ...entries] = process.argv;
const calls = [];

/** Puts a function in the place of `owner[name]` that notes the call and goes on. */
function watch(owner, name, label = name) {
  const original = owner?.[name];
  if (typeof original !== "function") return;
  const noted = new Proxy(original, {
    apply(target, self, args) {
      calls.push(label);
      return Reflect.apply(target, self, args);
    },
    construct(target, args, newTarget) {
      calls.push(label);
      return Reflect.construct(target, args, newTarget);
    },
  });
  Object.defineProperty(owner, name, { value: noted, configurable: true, writable: true });
}

for (const name of [
  "setTimeout",
  "setInterval",
  "setImmediate",
  "queueMicrotask",
  "fetch",
  "WebSocket",
  "atob",
]) {
  watch(globalThis, name);
}
for (const name of ["getRandomValues", "randomUUID"]) watch(crypto, name, `crypto.${name}`);
for (const name of ["Module", "Instance", "compile", "instantiate"])
  watch(WebAssembly, name, `WebAssembly.${name}`);
watch(Math, "random", "Math.random");
watch(Date, "now", "Date.now");
watch(performance, "now", "performance.now");
watch(process, "on", "process.on");

const globals = () => Object.getOwnPropertyNames(globalThis).sort().join();
const before = globals();
calls.length = 0;
const modules = [];
for (const entry of entries) modules.push(await import(entry));
const onImport = [...calls];
if (globals() !== before) onImport.push("a global was added or removed");

calls.length = 0;
const client = modules[0].createClient(url);
const lock = await client.acquire("watched");
await lock.release();
await client.close();
console.log(JSON.stringify({ entries: entries.length, onImport, onUse: [...new Set(calls)].sort() }));
