// What one lock costs, counted instead of timed: calls into the wasm and its steps, readings of the clocks, writes, timers,
// typed arrays. A pair is an acquire and its release.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startRedis } from "../support/redis.js";
import { createClient } from "../support/redlatch.js";
import { loadScripts } from "../support/server-state.js";
import { countingClock, countsOf, ownClock } from "./support/counting.js";

const server = await startRedis({ after });
await loadScripts(server);

async function clientOf(t) {
  const client = createClient({ url: server.url, clock: countingClock(ownClock) });
  t.after(() => client.close());
  // Until here it connects and makes room.
  for (let warm = 0; warm < 5; warm += 1) await pairs(client, 512);
  return client;
}

const pairs = (client, inFlight) =>
  Promise.all(
    Array.from({ length: inFlight }, async (_, at) => {
      const lock = await client.acquire(`cost:${at}`);
      await lock.release();
    }),
  );

/** The usual counts of that many pairs at once. Some rounds also see the timer, which looks at a silent connection. */
async function usual(client, inFlight, rounds) {
  const seen = new Map();
  for (let round = 0; round < rounds; round += 1) {
    const { steps: _, ...counted } = await countsOf(() => pairs(client, inFlight));
    const each = JSON.stringify(counted);
    seen.set(each, (seen.get(each) ?? 0) + 1);
  }
  const [[counts, times]] = [...seen].sort(([, one], [, other]) => other - one);
  assert.ok(times > rounds / 2, JSON.stringify([...seen]));
  return JSON.parse(counts);
}

// What is done for a turn of calls and for what is received, however many pairs are in flight.
const WHOLE = {
  // Both clocks: for each input, and for the poll after each call.
  "clock readings": 12,
  // A run of acquires, a run of releases.
  writes: 2,
  timers: 0,
  // What is received, and a copy of what is sent: one view or array for each.
  "typed arrays": 4,
  // The socket and the timer, while something is owed.
  "keep-alive": 8,
};

// The two calls of each pair; then what the server answers to each run, and a poll for each turn and each input.
for (const inFlight of [1, 7])
  test(`${inFlight} in flight: the calls of the pairs, and six for all of them`, async (t) => {
    const client = await clientOf(t);
    assert.deepEqual(await usual(client, inFlight, 100), { "wasm calls": 2 * inFlight + 6, ...WHOLE });
  });

// From eight on, one half is sent early. The answers to both may come together, or each on its own.
for (const inFlight of [8, 32])
  test(`${inFlight} in flight: two halves, each with what is done once`, async (t) => {
    const client = await clientOf(t);
    const rounds = 100;
    await pairs(client, inFlight);
    const counted = await countsOf(async () => {
      for (let round = 0; round < rounds; round += 1) await pairs(client, inFlight);
    });
    // A round after one whose halves came far apart is not halved.
    assert.ok(counted.writes > rounds * 1.5 * WHOLE.writes, `${counted.writes} writes`);
    const most = { ...WHOLE, "wasm calls": inFlight + 6, timers: 0.1 };
    // A tenth more, for the timer that looks at a silent connection.
    for (const [what, once] of Object.entries(most))
      assert.ok(counted[what] / rounds <= 2.2 * once, `${what}: ${counted[what] / rounds} for each round`);
  });

test("512 in flight: what is shared by all calls of a turn is done once", async (t) => {
  const client = await clientOf(t);
  const rounds = 20;
  const counted = await countsOf(async () => {
    for (let round = 0; round < rounds; round += 1) await pairs(client, 512);
  });
  // The answers to 16 runs may come in several parts: here up to six.
  const most = {
    "wasm calls": 2 * 512 + 24,
    "clock readings": 36,
    writes: 7,
    timers: 1,
    "typed arrays": 14,
    "keep-alive": 16,
  };
  for (const [what, atMost] of Object.entries(most))
    assert.ok(counted[what] / rounds <= atMost, `${what}: ${counted[what] / rounds} for each round`);
});

// As measured, with a tenth of slack: what makes the core's work grow by more is a decision, not an accident.
for (const [inFlight, most] of [
  [1, 3_300],
  [8, 2_280],
  [64, 2_230],
  [512, 2_300],
])
  test(`${inFlight} in flight: the core enters ${most} functions and loops for a pair, at most`, async (t) => {
    const client = await clientOf(t);
    const pairsInAll = Math.max(512, inFlight * 4);
    const { steps } = await countsOf(async () => {
      for (let done = 0; done < pairsInAll; done += inFlight) await pairs(client, inFlight);
    });
    assert.ok(steps / pairsInAll <= most, `${steps / pairsInAll} steps for each pair`);
  });
