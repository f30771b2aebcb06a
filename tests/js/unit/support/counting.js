// Counts what the package does: calls into the wasm, steps of the wasm, readings of the clocks, writes, timers, typed arrays.
// Import it before the first client is made.
import { Socket } from "node:net";
import binaryen from "../../../../pkg-template/node_modules/binaryen/index.js";

const counts = new Map();
const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);
/** Functions that the wasm entered, and rounds of its loops: its work, whatever the machine is doing. */
let steps = 0;

export const WHAT = ["wasm calls", "clock readings", "writes", "timers", "typed arrays", "keep-alive"];

/** What was counted while `act` ran. */
export async function countsOf(act) {
  counts.clear();
  steps = 0;
  await act();
  return { ...Object.fromEntries(WHAT.map((what) => [what, counts.get(what) ?? 0])), steps };
}

/** Counts the calls of a method. */
function watch(object, method, what) {
  const original = object[method];
  object[method] = function (...args) {
    count(what);
    return original.apply(this, args);
  };
}

/** Makes `construct(Type, args)` of what is made with a constructor by code that looks it up when it runs. */
function replace(holder, name, construct) {
  holder[name] = new Proxy(holder[name], {
    construct: (Type, args, target) => construct((...more) => Reflect.construct(Type, more, target), args),
  });
}

watch(Socket.prototype, "write", "writes");
for (const method of ["ref", "unref"]) watch(Socket.prototype, method, "keep-alive");
for (const name of ["Uint8Array", "Uint32Array", "Float64Array"])
  replace(globalThis, name, (make, args) => {
    count("typed arrays");
    return make(...args);
  });
watch(Object.getPrototypeOf(Uint8Array.prototype), "slice", "typed arrays");
watch(TextEncoder.prototype, "encode", "typed arrays");

// Each function and each loop of the core calls `log_execution` when it begins. The decoder, which imports nothing, is left.
replace(WebAssembly, "Module", (make, [bytes]) => {
  const plain = make(bytes);
  if (WebAssembly.Module.imports(plain).length === 0) return plain;
  const module = binaryen.readBinary(bytes);
  module.runPasses(["log-execution"]);
  return make(module.emitBinary());
});
const step = () => {
  steps += 1;
};
replace(WebAssembly, "Instance", (make, [module, imports]) => {
  if (imports === undefined) return make(module);
  const logged = Object.entries(imports).map(([from, each]) => [from, { ...each, log_execution: step }]);
  const { exports } = make(module, Object.fromEntries(logged));
  const counted = Object.entries(exports).map(([name, value]) => {
    if (typeof value !== "function") return [name, value];
    const call = (...args) => {
      count("wasm calls");
      return value(...args);
    };
    return [name, call];
  });
  return { exports: Object.fromEntries(counted) };
});

/** A clock whose readings and timers are counted, over another one. */
export const countingClock = (clock) => ({
  now: () => {
    count("clock readings");
    return clock.now();
  },
  wall: () => {
    count("clock readings");
    return clock.wall();
  },
  setTimeout: (callback, delay) => {
    count("timers");
    const timer = clock.setTimeout(callback, delay);
    if (typeof timer === "object") for (const method of ["ref", "unref"]) watch(timer, method, "keep-alive");
    return timer;
  },
  clearTimeout: (timer) => {
    count("timers");
    clock.clearTimeout(timer);
  },
});

/** The clock of this process. */
export const ownClock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (timer) => clearTimeout(timer),
};
