// A live waiter keeps its position in a fair queue, whatever other clients, its own connection and its other waiters do.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { joinQueue, queueUp } from "../support/queue.js";
import { startRedis } from "../support/redis.js";
import { queueLength, queueOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const QUICK = { retry: { min: 5, max: 10 }, ttl: 20_000, wait: 30_000 };

test("rule 9: an impatient client that comes and goes does not cost a patient one its position", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  // It polls every 15 to 60 s, and has a position lease of 180 s.
  const patient = openClient(t, redis, { ...QUICK, retry: { min: 1_000, max: 15_000 } });
  const served = [];
  const turns = await queueUp(redis, key, ["patient"], () => patient.acquire(key, { fair: true }), served);
  const impatient = openClient(t, redis, QUICK);
  await rejection(impatient.acquire(key, { fair: true, wait: 50 }));
  // Longer than the impatient one's queue would be kept (four leases of 3 s), and shorter than the patient one's pause.
  await pause(12_500);
  assert.equal(await queueLength(redis, key), 1, "the patient one still has its position");
  turns.push(...(await queueUp(redis, key, ["late"], () => impatient.acquire(key, { fair: true }), served)));
  await holder.release();
  await settles(Promise.all(turns), 10_000, "the queue");
  assert.deepEqual(served, ["patient", "late"]);
});

test("rule 9: a connection that is cut does not cost its waiters their positions", async (t) => {
  const key = freshKey();
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  const unlucky = openClient(t, proxy, QUICK);
  const other = openClient(t, redis, QUICK);
  const served = [];
  const turns = [];
  const stand = async (name, client) =>
    turns.push(...(await queueUp(redis, key, [name], () => client.acquire(key, { fair: true }), served)));
  await stand(0, unlucky);
  await stand(1, other);
  await stand(2, unlucky);
  await stand(3, other);
  const before = proxy.connections;
  proxy.cut();
  await until(() => proxy.connections > before, { what: "another connection" });
  await until(async () => (await redis.send("CLIENT", "LIST")).split("name=redlatch").length - 1 >= 3);
  await holder.release();
  await settles(Promise.all(turns), 10_000, "the queue");
  assert.deepEqual(served, [0, 1, 2, 3]);
});

test("rule 10: a waiter that left while its server was unreachable is not kept in the queue by its client's others", {
  timeout: 30_000,
}, async (t) => {
  const key = freshKey();
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  // The lease (400 ms) is over long before the position's (3 s).
  const client = openClient(t, proxy, {
    ttl: 400,
    wait: 20_000,
    retry: { min: 50, max: 250 },
    nodeTimeout: 300,
  });
  const controller = new AbortController();
  const leaver = await joinQueue(redis, key, () =>
    client.acquire(key, { fair: true, signal: controller.signal }),
  );
  const stayer = await joinQueue(redis, key, () => client.acquire(key, { fair: true }));
  proxy.deaf = true;
  proxy.cut();
  controller.abort(new Error("changed my mind"));
  await rejection(leaver.promise, 2_000);
  // Longer than the client tries to clean up.
  await pause(1_500);
  proxy.deaf = false;
  proxy.cut();
  await holder.release();
  const lock = await settles(stayer.promise, 8_000, "the turn of the waiter that stayed");
  await lock.release();
  await until(async () => (await queueLength(redis, key)) === 0);
});

for (const wakes of [true, false]) {
  test(`rule 11: a process that slept for longer than its position lease: all its waiters are served (wake-ups: ${wakes})`, {
    timeout: 30_000,
  }, async (t) => {
    const key = freshKey();
    const user = `sleeper-${wakes}`;
    await redis.send("ACL", "SETUSER", user, "on", ">pw", "~*", "+@all", wakes ? "&*" : "resetchannels");
    const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
    const script = new URL("../workers/queuer.js", import.meta.url);
    const sleeper = startWorker(t, script, {
      port: redis.port,
      user,
      key,
      orders: `orders:${wakes}`,
      retry: QUICK.retry,
    });
    await sleeper.said((message) => message.ready);
    const order = async (name) => {
      await redis.send("RPUSH", `orders:${wakes}`, JSON.stringify([name, `token-${name}`]));
    };
    await redis.send("DEL", "served");
    const other = openClient(t, redis, QUICK);
    await joinQueue(redis, key, () => order("first"));
    const between = await joinQueue(redis, key, () => other.acquire(key, { fair: true }));
    await joinQueue(redis, key, () => order("last"));

    sleeper.signal("SIGSTOP");
    // The dead head is purged by the next attempt of any client; then the waiter behind it is the head.
    await until(async () => (await queueLength(redis, key)) <= 2, { within: 8_000, what: "the purge" });
    sleeper.signal("SIGCONT");
    await until(async () => (await queueLength(redis, key)) === 3, { within: 8_000, what: "the return" });
    await holder.release();
    await (await settles(between.promise, 5_000, "the one between")).release();
    await redis.send("RPUSH", `orders:${wakes}`, "go home");
    await sleeper.said((message) => message.done, 8_000);
    assert.deepEqual((await redis.send("LRANGE", "served", 0, -1)).sort(), ["first", "last"]);
  });
}

test("rule 9: thousands of waiters of one client whose positions are lost all get new ones, and one polls for all", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis, QUICK).acquire(key, { fair: true });
  const client = openClient(t, redis, { ttl: 20_000, wait: 60_000 });
  const failures = [];
  const all = 3_000;
  for (let each = 0; each < all; each += 1)
    client.acquire(key, { fair: true }).catch((error) => failures.push(error));
  await until(async () => (await queueLength(redis, key)) === all);
  await redis.send("DEL", queueOf(key));
  await until(async () => failures.length > 0 || (await queueLength(redis, key)) === all, { within: 10_000 });
  assert.deepEqual(failures, []);
  await client.close({ timeout: 5_000 });
  await until(async () => (await queueLength(redis, key)) === 0);
  await holder.release();
});

test("rule 4: a position that a late command left is given up, and no lock of others is touched", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis, QUICK);
  await redis.send("SET", `lock:${key}`, "", "PX", 20_000);
  const { promise } = await joinQueue(redis, key, () => client.acquire(key, { fair: true }));
  const [waiter] = await redis.send("ZRANGE", queueOf(key), 0, 0);
  const left = `${waiter.split(":")[0]}:999999`;
  await redis.send("ZADD", queueOf(key), 0, left);
  await until(async () => (await redis.send("ZSCORE", queueOf(key), left)) === null);
  assert.equal(await redis.send("GET", `lock:${key}`), "", "another's lock, whose value is empty");
  await redis.send("DEL", `lock:${key}`);
  await (await settles(promise, 5_000)).release();
});
