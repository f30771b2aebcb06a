// What waiting costs: how soon a release reaches the next waiter, and how many commands waiters send. tests/runtimes runs
// this file alone.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { afterFirstCall, queueLength, scriptCalls } from "../support/server-state.js";

const redis = await startRedis({ after });
/** These do not poll within 4 s: waiters with wake-ups poll after one to four times `retry.max`. */
const RARELY = { retry: { min: 2_000, max: 4_000 }, ttl: 60_000, wait: 60_000 };
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** How many commands waiters send to a server in a second. */
async function callsPerSecond(server) {
  const started = performance.now();
  const before = await scriptCalls(server);
  await pause(1_000);
  const calls = (await scriptCalls(server)) - before;
  return (calls * 1_000) / (performance.now() - started);
}

for (const fair of [false, true]) {
  test(`rule 11: the release wakes the next, long before its poll (fair: ${fair})`, {
    timeout: 30_000,
  }, async (t) => {
    const key = freshKey();
    const clients = [openClient(t, redis, RARELY), openClient(t, redis, RARELY)];
    let lock = await clients[0].acquire(key, { fair });
    const gaps = [];
    for (let round = 1; round <= 20; round += 1) {
      const { promise } = await afterFirstCall(redis, () => clients[round % 2].acquire(key, { fair }));
      const released = performance.now();
      await lock.release();
      lock = await settles(promise, 3_500, "the hand-over");
      gaps.push(performance.now() - released);
    }
    await lock.release();
    assert.ok(median(gaps) < 50, `the hand-over took ${median(gaps)} ms`);
  });
}

test("rule 11: 1000 waiters on one plain lock make no herd", { timeout: 60_000 }, async (t) => {
  const own = await startRedis(t);
  const key = freshKey();
  const clients = Array.from({ length: 10 }, () => openClient(t, own, { ttl: 60_000, wait: 60_000 }));
  const holder = await openClient(t, own).acquire(key, { ttl: 60_000 });
  let served = 0;
  const turns = Array.from({ length: 1_000 }, (_, at) =>
    clients[at % 10].acquire(key).then(async (lock) => {
      served += 1;
      await lock.release();
    }),
  );
  const registered = () => own.send("ZCARD", `lock:redlatch:waiters:{lock:${key}}`);
  await until(async () => (await registered()) === 1_000, {
    within: 20_000,
    what: "a first attempt of each",
  });
  // While nothing happens, they ask rarely: 250 ms to 1 s each.
  const asked = await callsPerSecond(own);
  assert.ok(asked < 1_000 * 4, `${asked} commands in a second of waiting`);
  const before = await scriptCalls(own);
  const started = performance.now();
  await holder.release();
  await settles(Promise.all(turns), 40_000, "all thousand");
  const seconds = (performance.now() - started) / 1_000;
  const polls = 1_000 * 4 * seconds;
  const perTurn = ((await scriptCalls(own)) - before) / 1_000;
  assert.equal(served, 1_000);
  // An acquire and a release each, what the polls of the time make, and no avalanche with each release.
  assert.ok(perTurn < 3 + polls / 1_000, `${perTurn} commands per release, in ${seconds} s`);
});

test("rule 11: 500 fair waiters of five clients ask with one command per client", {
  timeout: 60_000,
}, async (t) => {
  const own = await startRedis(t);
  const key = freshKey();
  const options = { ttl: 60_000, wait: 60_000, retry: { min: 50, max: 100 } };
  const clients = Array.from({ length: 5 }, () => openClient(t, own, options));
  const holder = await openClient(t, own).acquire(key, { ttl: 60_000, fair: true });
  const turns = Array.from({ length: 500 }, (_, at) =>
    clients[at % 5].acquire(key, { fair: true }).then((lock) => lock.release()),
  );
  // When all are in the queue, each has made its first attempt, and from then on each client's leader polls for all.
  await until(async () => (await queueLength(own, key)) === 500, { within: 20_000, what: "the queue" });
  const asked = await callsPerSecond(own);
  assert.ok(asked > 0 && asked <= 5 * 12, `${asked} heartbeats in a second`);
  const before = await scriptCalls(own);
  const started = performance.now();
  await holder.release();
  await settles(Promise.all(turns), 40_000, "all five hundred");
  const heartbeats = (5 * 12 * (performance.now() - started)) / 1_000;
  const perTurn = ((await scriptCalls(own)) - before - heartbeats) / 500;
  assert.ok(perTurn < 3, `${perTurn} commands per turn`);
});
