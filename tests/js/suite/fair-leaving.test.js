// Waiters that leave a fair queue at any position, or die there: the others keep their order and lose little time.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { joinQueue, queueUp } from "../support/queue.js";
import { startRedis } from "../support/redis.js";
import { LockTimeoutError } from "../support/redlatch.js";
import { assertAllExpire, keysLeft, queueLength } from "../support/server-state.js";

const redis = await startRedis({ after });
const QUICK = { retry: { min: 5, max: 10 }, ttl: 20_000, wait: 30_000 };
/** max(12 * retry.max, 3000) ms: how long a position is kept without a poll from its client. */
const POSITION_LEASE = 3_000;
const NAMES = [0, 1, 2, 3, 4];
/** What a loaded machine may add to any of these times. */
const SLACK = 2_000;

const script = new URL("../workers/waiter.js", import.meta.url);

/** A process that waits in the queue of `key`. */
async function processInQueue(t, key, retry = QUICK.retry) {
  const { promise } = await joinQueue(redis, key, async () => {
    const worker = startWorker(t, script, { url: redis.url, key, retry });
    await worker.said((message) => message.ready, 10_000);
    return worker;
  });
  return promise;
}

/** The others of five waiters are served in their order when the holder releases, and nobody waits for the one that left. */
async function othersAreServed(key, holder, turns, served, index) {
  await until(async () => (await queueLength(redis, key)) === 4, { within: 1_000, what: "the ticket's end" });
  const released = performance.now();
  await holder.release();
  await settles(Promise.allSettled(turns), 5_000, "the queue");
  assert.ok(performance.now() - released < POSITION_LEASE - 1_000, "nobody waited for the one that left");
  assert.deepEqual(
    served,
    NAMES.filter((name) => name !== index),
  );
}

const positions = { "the head": 0, "the middle": 2, "the tail": 4 };

for (const [where, index] of Object.entries(positions)) {
  test(`rule 10: a waiter that gives up at ${where} of the queue leaves it at once`, async (t) => {
    const key = freshKey();
    const client = openClient(t, redis, QUICK);
    const holder = await client.acquire(key, { fair: true });
    const served = [];
    const turns = await queueUp(
      redis,
      key,
      NAMES,
      (name) => client.acquire(key, { fair: true, wait: name === index ? 300 : 30_000 }),
      served,
    );
    assert.ok((await rejection(turns[index])) instanceof LockTimeoutError);
    await othersAreServed(key, holder, turns, served, index);
    assert.deepEqual(await keysLeft(redis, `*${key}*`), []);
  });

  test(`rule 10: a waiter that aborts at ${where} of the queue leaves it at once`, async (t) => {
    const key = freshKey();
    // Every waiter has its own client: nobody else refreshes the position lease of the one that aborts.
    const clients = Array.from({ length: 5 }, () => openClient(t, redis, QUICK));
    const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
    const controller = new AbortController();
    const served = [];
    const turns = await queueUp(
      redis,
      key,
      NAMES,
      (name) =>
        clients[name].acquire(key, { fair: true, signal: name === index ? controller.signal : undefined }),
      served,
    );
    const reason = new Error("changed my mind");
    controller.abort(reason);
    assert.equal(await rejection(turns[index], 1_500), reason);
    await othersAreServed(key, holder, turns, served, index);
  });
}

test("rule 10: processes killed at head, middle and tail cost the queue one position lease in all, and keep its order", {
  timeout: 60_000,
}, async (t) => {
  const key = freshKey();
  const client = openClient(t, redis, QUICK);
  const holder = await client.acquire(key, { fair: true });
  const served = [];
  const turns = [];
  const doomed = [];
  const alive = async (name) =>
    turns.push(...(await queueUp(redis, key, [name], () => client.acquire(key, { fair: true }), served)));
  doomed.push(await processInQueue(t, key), await processInQueue(t, key));
  await alive("a");
  doomed.push(await processInQueue(t, key));
  await alive("b");
  await alive("c");
  doomed.push(await processInQueue(t, key));
  for (const { signal } of doomed) signal("SIGKILL");
  await Promise.all(doomed.map(({ exit }) => exit));
  const released = performance.now();
  await holder.release();
  await settles(Promise.all(turns), 10_000, "the queue");
  const took = performance.now() - released;
  assert.ok(took < 2 * POSITION_LEASE, `the queue took ${took} ms: a second dead waiter cost its lease`);
  assert.deepEqual(served, ["a", "b", "c"]);
  // The last dead waiter's ticket is removed by the first waiter that leaves after its lease, or expires with the queue:
  // four leases after the last command.
  await until(async () => (await keysLeft(redis, `*${key}*`)).length === 0, {
    within: 4 * POSITION_LEASE + SLACK,
    what: "the dead one's ticket's end",
  });
});

test("rule 10: a dead head costs at most its lease, also when it dies just after its heartbeat", async (t) => {
  for (let round = 0; round < 2; round += 1) {
    const key = freshKey();
    const client = openClient(t, redis, QUICK);
    const holder = await client.acquire(key, { fair: true });
    const worker = await processInQueue(t, key);
    const served = [];
    const turns = await queueUp(redis, key, ["next"], () => client.acquire(key, { fair: true }), served);
    worker.signal("SIGKILL");
    await worker.exit;
    const released = performance.now();
    await holder.release();
    await settles(Promise.all(turns), 10_000, "the next in the queue");
    const took = performance.now() - released;
    assert.ok(took < POSITION_LEASE + SLACK, `it took ${took} ms`);
  }
});

test("rule 10: a holder that dies costs its lease, and the queue goes on in order", async (t) => {
  const key = freshKey();
  const holder = startWorker(t, script, { url: redis.url, key, hold: 60_000, ttl: 4_000 });
  await holder.said((message) => message.served);
  const client = openClient(t, redis, QUICK);
  const served = [];
  const turns = await queueUp(redis, key, [1, 2, 3], () => client.acquire(key, { fair: true }), served);
  holder.signal("SIGKILL");
  const killed = performance.now();
  const left = await redis.send("PTTL", `lock:${key}`);
  await settles(Promise.all(turns), 10_000, "the queue");
  assert.ok(performance.now() - killed < left + SLACK);
  assert.deepEqual(served, [1, 2, 3]);
});

test("rule 10: close() of a client takes its waiters out of the queue", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  const leaver = openClient(t, redis, QUICK);
  const gone = [];
  for (const _ of [1, 2, 3]) {
    const { promise } = await joinQueue(redis, key, () => leaver.acquire(key, { fair: true }));
    gone.push(rejection(promise));
  }
  await leaver.close();
  assert.equal(await queueLength(redis, key), 0);
  for (const error of await Promise.all(gone)) assert.equal(error.code, "LOCK_CLOSED");
  await holder.release();
  assert.deepEqual(await keysLeft(redis, `*${key}*`), []);
  await assertAllExpire(redis);
});
