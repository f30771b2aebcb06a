// What one lock costs, counted instead of timed: calls into the wasm, readings of the clocks, writes, timers, typed arrays.
// A pair is an acquire and its release.
import assert from "node:assert/strict";
import { Socket } from "node:net";
import { after, test } from "node:test";
import { startRedis } from "../support/redis.js";
import { createClient } from "../support/redlatch.js";

const server = await startRedis({ after });

const counts = new Map();
const count = (what) => counts.set(what, (counts.get(what) ?? 0) + 1);

/** Counts the calls of a method. */
function watch(object, method, what) {
  const original = object[method];
  object[method] = function (...args) {
    count(what);
    return original.apply(this, args);
  };
}

/** Counts what is made with a constructor by code that looks it up when it runs. */
function watchNew(holder, name, what, made = (object) => object) {
  holder[name] = new Proxy(holder[name], {
    construct(type, args, target) {
      count(what);
      return made(Reflect.construct(type, args, target));
    },
  });
}

watch(Socket.prototype, "write", "writes");
for (const method of ["ref", "unref"]) watch(Socket.prototype, method, "keep-alive");
for (const name of ["Uint8Array", "Uint32Array", "Float64Array"]) watchNew(globalThis, name, "typed arrays");
watch(Object.getPrototypeOf(Uint8Array.prototype), "slice", "typed arrays");
watch(TextEncoder.prototype, "encode", "typed arrays");
watchNew(WebAssembly, "Instance", "instances", ({ exports }) => {
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

const clock = {
  now: () => {
    count("clock readings");
    return performance.now();
  },
  wall: () => {
    count("clock readings");
    return Date.now();
  },
  setTimeout: (callback, delay) => {
    count("timers");
    const timer = setTimeout(callback, delay);
    for (const method of ["ref", "unref"]) watch(timer, method, "keep-alive");
    return timer;
  },
  clearTimeout: (timer) => {
    count("timers");
    clearTimeout(timer);
  },
};

const WHAT = ["wasm calls", "clock readings", "writes", "timers", "typed arrays", "keep-alive"];
const read = () => Object.fromEntries(WHAT.map((what) => [what, counts.get(what) ?? 0]));

async function clientOf(t) {
  const client = createClient({ url: server.url, clock });
  t.after(() => client.close());
  // Until here it connects and makes room.
  for (let warm = 0; warm < 3; warm += 1) await pairs(client, 64);
  return client;
}

const pairs = (client, inFlight) =>
  Promise.all(
    Array.from({ length: inFlight }, async (_, at) => {
      const lock = await client.acquire(`cost:${at}`);
      await lock.release();
    }),
  );

test("one in flight: two calls into the wasm for each input, and one reading of both clocks", async (t) => {
  const client = await clientOf(t);
  const seen = new Map();
  for (let pair = 0; pair < 200; pair += 1) {
    counts.clear();
    await pairs(client, 1);
    const each = JSON.stringify(read());
    seen.set(each, (seen.get(each) ?? 0) + 1);
  }
  // Some pairs also see the timer, which looks at a silent connection.
  const [[usual, times]] = [...seen].sort(([, one], [, other]) => other - one);
  assert.ok(times > 150, JSON.stringify([...seen]));
  assert.deepEqual(JSON.parse(usual), {
    // The two calls, what the server answers to each, and a poll after each of these.
    "wasm calls": 8,
    // Both clocks: for each input, and for the poll after each call.
    "clock readings": 12,
    writes: 2,
    timers: 0,
    // What is received, and a copy of what is sent: one view or array for each.
    "typed arrays": 4,
    // The socket and the timer, while something is owed.
    "keep-alive": 8,
  });
});

test("64 in flight: what is shared by all calls of a turn is done once", async (t) => {
  const client = await clientOf(t);
  counts.clear();
  const rounds = 20;
  for (let round = 0; round < rounds; round += 1) await pairs(client, 64);
  const locks = rounds * 64;
  // Two turns of calls and the answers to them, which may come in several parts.
  const most = {
    "wasm calls": 2 + 0.4,
    "clock readings": 0.5,
    writes: 0.1,
    timers: 0.02,
    "typed arrays": 0.2,
    "keep-alive": 0.3,
  };
  for (const [what, times] of Object.entries(read()))
    assert.ok(times / locks <= most[what], `${what}: ${times / locks} for each pair`);
});
