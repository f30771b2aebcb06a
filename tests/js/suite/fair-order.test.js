// Fair locks are given in the order in which the waiters arrived at the server.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { joinQueue, queueUp } from "../support/queue.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire, keysLeft, queueLength } from "../support/server-state.js";

const redis = await startRedis({ after });
const QUICK = { retry: { min: 5, max: 10 }, ttl: 20_000, wait: 30_000 };
const count = (length) => Array.from({ length }, (_, at) => at);

test("rule 9: 200 waiters of four processes are served in order of arrival, whatever their tokens", {
  timeout: 60_000,
}, async (t) => {
  const own = await startRedis(t);
  const key = freshKey();
  const holder = await openClient(t, own, QUICK).acquire(key, { fair: true });
  const script = new URL("../workers/queuer.js", import.meta.url);
  // Four processes that poll at very different rates: the order must not depend on which polls most often. The queue takes
  // longer than its position leases (3 s; 12 s for the last), and each process is served more often than the slowest polls.
  const retries = [
    { min: 1, max: 5 },
    { min: 5, max: 50 },
    { min: 50, max: 250 },
    { min: 500, max: 1_000 },
  ];
  const workers = retries.map((retry, at) =>
    startWorker(t, script, { port: own.port, key, orders: `orders:${at}`, retry, hold: 18 }),
  );
  await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 15_000)));
  for (const at of count(200)) {
    // Tokens that sort against arrival, by bytes and by length; processes in no regular order.
    const token = at % 2 === 0 ? String(1_000 - at) : "~".repeat(201 - at);
    const worker = (at * 7 + (at >> 3)) % workers.length;
    await own.send("RPUSH", `orders:${worker}`, JSON.stringify([at, token]));
    await until(async () => (await queueLength(own, key)) === at + 1, { every: 1, what: `ticket ${at}` });
  }
  await holder.release();
  for (const at of count(4)) await own.send("RPUSH", `orders:${at}`, "go home");
  await Promise.all(workers.map((worker) => worker.said((message) => message.done, 40_000)));
  assert.deepEqual((await own.send("LRANGE", "served", 0, -1)).map(Number), count(200), "overtakings");
  for (const worker of workers)
    assert.deepEqual(
      worker.messages.filter(({ problem }) => problem),
      [],
    );
  assert.deepEqual(
    (await keysLeft(own)).filter((name) => name !== "served"),
    [],
    "nobody is left in the queue",
  );
  await assertAllExpire(own, ["served"]);
});

test("rule 9: a newcomer never overtakes, neither by trying nor by asking while the lock changes hands", {
  timeout: 30_000,
}, async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  const client = openClient(t, redis, QUICK);
  const served = [];
  const turns = await queueUp(redis, key, count(40), () => client.acquire(key, { fair: true }), served);

  const pusher = openClient(t, redis, QUICK);
  let barged = 0;
  let over = false;
  const barging = (async () => {
    while (!over) {
      const lock = await pusher.tryAcquire(key, { fair: true });
      if (lock === null) continue;
      if (served.length < 40) barged += 1;
      await lock.release();
    }
  })();
  await holder.release();
  const late = openClient(t, redis, QUICK)
    .acquire(key, { fair: true })
    .then(async (lock) => {
      served.push("late");
      await lock.release();
    });
  await settles(Promise.all([...turns, late]), 20_000, "the queue");
  over = true;
  await barging;
  assert.deepEqual(served, [...count(40), "late"]);
  assert.equal(barged, 0);
});

test("rule 9: waiters of one client and of several with the same name of key, but other keys, do not meet", async (t) => {
  const [a, b] = [freshKey(), freshKey()];
  const client = openClient(t, redis, QUICK);
  const [one, two] = await Promise.all([a, b].map((key) => client.acquire(key, { fair: true })));
  const waiting = await joinQueue(redis, a, () => client.acquire(a, { fair: true }));
  assert.equal(await two.release(), "released");
  const again = await client.acquire(b, { fair: true, wait: 0 });
  await again.release();
  await one.release();
  await (await settles(waiting.promise)).release();
});

test("rule 10: tryAcquire leaves no trace: not on a free key once released, not on a held one, not behind a queue", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis, QUICK);
  const lock = await client.tryAcquire(key, { fair: true });
  assert.equal(await client.tryAcquire(key, { fair: true }), null);
  await lock.release();
  assert.deepEqual(await keysLeft(redis, `*${key}*`), []);

  const stranger = freshKey();
  await redis.send("SET", `lock:${stranger}`, "a stranger's token", "PX", 10_000);
  assert.equal(await client.tryAcquire(stranger, { fair: true }), null);
  assert.deepEqual(
    await redis.send("KEYS", `*${stranger}*`),
    [`lock:${stranger}`],
    "not even a fence counter",
  );

  const { promise } = await joinQueue(redis, stranger, () => client.acquire(stranger, { fair: true }));
  assert.equal(await openClient(t, redis, QUICK).tryAcquire(stranger, { fair: true }), null);
  assert.equal(await queueLength(redis, stranger), 1);
  await redis.send("DEL", `lock:${stranger}`);
  await (await settles(promise)).release();
  assert.deepEqual(await keysLeft(redis, `*${stranger}*`), []);
});

test("rule 10: every derived key expires, while there is a queue and after it", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis, QUICK);
  const holder = await client.acquire(key, { fair: true });
  const { promise } = await joinQueue(redis, key, () => client.acquire(key, { fair: true, wait: 60_000 }));
  await assertAllExpire(redis);
  await holder.release();
  const lock = await settles(promise);
  await assertAllExpire(redis);
  await lock.release();
  await assertAllExpire(redis);
  assert.deepEqual(await keysLeft(redis, `*${key}*`), []);
});

test("rule 8: fences grow along the queue", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis, QUICK);
  const locks = count(20).map(() =>
    client.acquire(key, { fair: true }).then(async (lock) => {
      await lock.release();
      return lock.fence;
    }),
  );
  const fences = await settles(Promise.all(locks), 10_000);
  for (const at of count(19)) assert.ok(fences[at + 1] > fences[at], fences.join(" "));
});

test("rule 9: fair with several keys: a waiter must be the head of every queue", async (t) => {
  const [a, b, c] = [freshKey(), freshKey(), freshKey()];
  const client = openClient(t, redis, QUICK);
  const holder = await client.acquire(a, { fair: true });
  const served = [];
  const both = await queueUp(redis, b, ["a and b"], () => client.acquire([a, b], { fair: true }), served);
  // b is free, but the first waiter in its queue comes first.
  const only = await queueUp(redis, b, ["b"], () => client.acquire(b, { fair: true }), served);
  assert.equal(await client.tryAcquire(b, { fair: true }), null);
  const free = await client.acquire(c, { fair: true, wait: 0 });
  await free.release();
  assert.deepEqual(served, []);
  await holder.release();
  await settles(Promise.all([...both, ...only]), 5_000, "both queues");
  assert.deepEqual(served, ["a and b", "b"]);
  for (const key of [a, b]) assert.deepEqual(await keysLeft(redis, `*${key}*`), []);
});

test("rule 12: fair locks of overlapping sets never deadlock", { timeout: 30_000 }, async (t) => {
  const forks = count(5).map(() => freshKey("fork"));
  let meals = 0;
  await Promise.all(
    count(5).map(async (seat) => {
      const client = openClient(t, redis, QUICK);
      for (const _ of count(60)) {
        const lock = await client.acquire([forks[seat], forks[(seat + 1) % 5]], { fair: true });
        meals += 1;
        await lock.release();
      }
    }),
  );
  assert.equal(meals, 300);
});

test("rule 8: fair with several servers is refused, with the reason", async (t) => {
  const client = openClient(t, undefined, {
    nodes: ["redis://127.0.0.1:1", "redis://127.0.0.1:2", "redis://127.0.0.1:3"],
  });
  for (const call of [
    () => client.acquire("k", { fair: true }),
    () => client.tryAcquire("k", { fair: true }),
    () => client.using("k", { fair: true }, () => assert.fail("the body ran")),
  ]) {
    const error = await rejection(call());
    assert.ok(error instanceof TypeError, String(error));
    assert.match(error.message, /fair/);
    assert.ok(error.message.length > 40, `the reason is given: ${error.message}`);
  }
});
