// What an operation costs beside n others, counted instead of timed: the core's steps, readings of the clocks, timers, and
// commands at a real server. It must not grow with n.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { createClient } from "../support/redlatch.js";
import { loadScripts, scriptCalls } from "../support/server-state.js";
import { steeredClock } from "../support/steered-clock.js";
import { countingClock, countsOf } from "./support/counting.js";

const server = await startRedis({ after });
await loadScripts(server);

/** The most locks in one call of a script. */
const RUN = 32;

/** A client whose time stands still until the test lets it pass. */
function clientOf(t, options) {
  const clock = steeredClock();
  const client = createClient({
    url: server.url,
    clock: countingClock(clock),
    nodeTimeout: 60_000,
    ...options,
  });
  t.after(() => client.close({ timeout: 0 }));
  // By 100 ms. After each, what was sent is answered: before a later command on another connection.
  const passes = async (ms) => {
    for (let passed = 0; passed < ms; passed += 100) {
      await clock.advance(100);
      await server.send("PING");
      await turn();
    }
  };
  return { client, clock, passes };
}

const all = (n, act) => Promise.all(Array.from({ length: n }, (_, at) => act(at)));

async function costOf(act) {
  const before = await scriptCalls(server);
  const counted = await countsOf(act);
  return { ...counted, commands: (await scriptCalls(server)) - before };
}

/**
 * The steps for the largest n are those for smaller ones, and half as much again for logarithms. One smaller n alone may be
 * counted too low, if answers come after the count.
 */
function assertFlat(what, costs) {
  const before = Math.max(...costs.slice(0, -1).map(([, cost]) => cost));
  const [, last] = costs.at(-1);
  assert.ok(last <= before * 1.5, `${what}: ${JSON.stringify(costs)}`);
}

test("renewals, pairs and releases beside 10 to 10 000 held locks", { timeout: 60_000 }, async (t) => {
  const costs = { pairs: [], "pairs under an own token": [], releases: [], renewals: [] };
  for (const n of [10, 1_000, 10_000]) {
    const { client, clock, passes } = clientOf(t, { ttl: 30_000, wait: 600_000 });
    const locks = [];
    for (let part = 0; part < 10; part += 1) {
      const more = await all(n / 10, (at) => client.acquire(`held:${n}:${part}:${at}`, { renew: true }));
      locks.push(...more);
      await clock.advance(9);
    }
    await passes(5_000);
    const { steps, ...renewing } = await costOf(() => passes(10_000));
    assert.equal(client.inspect().counters.renewed, n);
    // Though they were acquired at ten times, they are renewed at one, in calls of 32.
    // Both clocks are also read for each part in which the answers come; the system decides how many.
    const readings = 30 + n / 80;
    const most = { commands: Math.ceil(n / RUN), timers: 8, "clock readings": readings, writes: 101 + 4 };
    for (const [what, atMost] of Object.entries(most))
      assert.ok(renewing[what] <= atMost, `${n} renewals, ${what}: ${renewing[what]}`);
    costs.renewals.push([n, steps / n]);

    for (const [what, options] of [
      ["pairs", {}],
      ["pairs under an own token", { token: "mine" }],
    ]) {
      const one = async (at) => (await client.acquire(`beside:${at}`, options)).release();
      await one(0);
      const counted = await costOf(async () => {
        for (let at = 0; at < 50; at += 1) await one(at);
      });
      assert.equal(counted.commands, 100);
      costs[what].push([n, counted.steps / 50]);
    }

    const releasing = await costOf(() => all(n, (at) => locks[at].release()));
    assert.ok(releasing.commands <= Math.ceil(n / RUN), `${n} releases: ${releasing.commands} commands`);
    costs.releases.push([n, releasing.steps / n]);
  }
  for (const [what, each] of Object.entries(costs)) assertFlat(what, each);
});

for (const fair of [false, true])
  test(`100 to 10 000 ${fair ? "fair" : "plain"} waiters of one lock`, { timeout: 60_000 }, async (t) => {
    const costs = { join: [], serve: [], cancel: [] };
    for (const n of [100, 1_000, 10_000]) {
      const key = `waited:${fair}:${n}`;
      const { client, passes } = clientOf(t, { ttl: 600_000, wait: 600_000 });
      const controller = new AbortController();
      let served = 0;
      let isServed;
      const enough = new Promise((resolve) => {
        isServed = resolve;
      });
      const options = { fair, signal: controller.signal };
      let lock = await client.acquire(key, options);
      const waits = async () => {
        const next = await client.acquire(key, options).catch(() => null);
        if (next === null) return;
        served += 1;
        if (served === 50) {
          lock = next;
          isServed();
        } else await next.release();
      };
      let turns;
      const set = `lock:redlatch:${fair ? "queue" : "waiters"}:{lock:${key}}`;
      const joining = await costOf(async () => {
        turns = all(n, waits);
        await until(async () => (await server.send("ZCARD", set)) === n, { within: 20_000 });
      });
      // Fair acquires share no calls.
      assert.ok(joining.commands <= (fair ? n : Math.ceil(n / RUN)), `${n} join: ${joining.commands}`);
      costs.join.push([n, joining.steps / n]);

      const standing = await costOf(() => server.send("PING"));
      assert.deepEqual([standing.commands, standing.steps], [0, 0]);
      // One asks for all: each 250 ms to 1 s.
      const waiting = await costOf(() => passes(10_000));
      assert.ok(waiting.commands <= 40, `${n} wait: ${waiting.commands} commands in 10 s`);
      assert.ok(waiting.timers <= 130, `${n} wait: ${waiting.timers} timers`);
      assert.ok(waiting.steps <= 40_000, `${n} wait: ${waiting.steps} steps`);

      // The next attempt is at least 250 ms after the last one. A wake-up in the first 2 ms would wait for their end, and time
      // stands still below.
      const attempts = () => client.inspect().counters.attempts;
      for (const before = attempts(); attempts() === before; ) await passes(100);
      await passes(100);

      const serving = await costOf(async () => {
        await lock.release();
        await enough;
      });
      // A release and the next acquire, for each.
      assert.equal(serving.commands, 100, `${n} wait, 50 are served`);
      costs.serve.push([n, serving.steps / 50]);

      const cancelling = await costOf(async () => {
        controller.abort();
        await turns;
      });
      costs.cancel.push([n, cancelling.steps / (n - 50)]);
      assert.ok(cancelling.commands <= n, `${n} cancelled: ${cancelling.commands} commands`);
      await lock.release();
    }
    for (const [what, each] of Object.entries(costs)) assertFlat(what, each);
  });
