// What a server says about itself: its keys, and how many commands it was sent.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { until } from "./conditions.js";

/** How often clients called each of `commands`; what scripts call is counted too, so ask for what only clients send. */
export async function callsOf(server, ...commands) {
  const statistics = await server.send("INFO", "commandstats");
  return commands.reduce(
    (sum, name) => sum + Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(statistics)?.[1] ?? 0),
    0,
  );
}

/** Script calls: all that the package sends once its connection stands. */
export const scriptCalls = (server) => callsOf(server, "evalsha", "eval");

/** Starts `start()`, and resolves to { promise } of it when the server has answered one more command of waiters. */
export async function afterFirstCall(server, start) {
  const before = await scriptCalls(server);
  const promise = start();
  promise.catch(() => {});
  await until(async () => (await scriptCalls(server)) > before, { every: 1, what: "the first attempt" });
  return { promise };
}

/** Every key has a time to live, except those in `ours`, which the test made. */
export async function assertAllExpire(server, ours = []) {
  const names = (await server.send("KEYS", "*")).filter((name) => !ours.includes(name));
  const times = await Promise.all(names.map((name) => server.send("PTTL", name)));
  assert.deepEqual(
    names.filter((_, at) => times[at] === -1),
    [],
    "keys that never expire",
  );
}

/** The token that holds the lock of that name, without the claim behind it; null if nobody does. */
export async function tokenOf(server, name) {
  const value = await server.send("GET", `lock:${name}`);
  return value?.replace(/ [0-9a-f]{16}:\d+$/, "") ?? null;
}

/** The keys on that server, except the fence counter, which outlives the lock. */
export async function keysLeft(server, pattern = "*") {
  const names = await server.send("KEYS", pattern);
  return names.filter((name) => !/redlatch:fence/.test(name));
}

/** The key of that role ("waiters", "queue" or "places") for a lock key without braces, which begins with the prefix. */
export const derivedKey = (role, key, prefix = "") => `${prefix}redlatch:${role}:{${key}}`;

/** The key of the fair queue for a name without braces, under the default prefix. */
export const queueOf = (name) => derivedKey("queue", `lock:${name}`, "lock:");

/** How many waiters are in the queue of the key. */
export const queueLength = (server, key) => server.send("ZCARD", queueOf(key));

const LUA = new URL("../../../lua/", import.meta.url);

const codeOf = (file) => readFileSync(new URL(`${file}.lua`, LUA), "utf8").replace(/^ *(--.*\n|\n)?/gm, "");

/** The script as the package sends it: the parts that its header names and its own code, without comments and indentation. */
export function sourceOf(name) {
  const header = readFileSync(new URL(`${name}.lua`, LUA), "utf8");
  const parts = /^-- PARTS: (.+)$/m.exec(header)[1];
  const files = parts === "none" ? [] : parts.split(", ");
  return [...files.map((part) => `lib/${part}`), name].map(codeOf).join("");
}

/** Makes all scripts known to a server, so that no call of theirs is answered by NOSCRIPT. */
export async function loadScripts(server) {
  const names = readdirSync(LUA).filter((file) => file.endsWith(".lua"));
  await Promise.all(names.map((file) => server.send("SCRIPT", "LOAD", sourceOf(file.slice(0, -4)))));
}
