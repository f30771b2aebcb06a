// Waiters are woken when the lock comes free; where the message cannot come, or is lost, the poll finds it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { afterFirstCall, assertAllExpire, callsOf, scriptCalls } from "../support/server-state.js";

const redis = await startRedis({ after });
/** These do not poll within 4 s: waiters with wake-ups poll after one to four times `retry.max`. */
const RARELY = { retry: { min: 2_000, max: 4_000 }, ttl: 60_000, wait: 60_000 };
/** ms: without its poll a waiter would wait for the whole of `wait`. */
const SOON = 10_000;
const OFTEN = { retry: { min: 10, max: 20 }, ttl: 60_000, wait: 30_000 };

test("rule 11: two locks of one client that wait for each other's keys are woken each for its own", async (t) => {
  const [a, b] = [freshKey(), freshKey()];
  const holder = openClient(t, redis, RARELY);
  const client = openClient(t, redis, RARELY);
  const [onA, onB] = [await holder.acquire(a), await holder.acquire(b)];
  const waitA = await afterFirstCall(redis, () => client.acquire(a));
  const waitB = await afterFirstCall(redis, () => client.acquire(b));
  await onB.release();
  await (await settles(waitB.promise, 3_500)).release();
  await onA.release();
  await (await settles(waitA.promise, 3_500)).release();
});

test("rule 11: one channel per client, not per lock, and none after close", async (t) => {
  const own = await startRedis(t);
  const holder = openClient(t, own, RARELY);
  const client = openClient(t, own, RARELY);
  const keys = Array.from({ length: 20 }, () => freshKey());
  await Promise.all(keys.map((key) => holder.acquire(key)));
  const waiting = keys.map((key, at) => client.acquire(key, { fair: at % 2 === 0 }).catch(() => {}));
  await until(() => client.inspect().waiters.length === keys.length);
  const channels = await own.send("PUBSUB", "CHANNELS", "*");
  assert.ok(channels.length <= 2, channels.join(" "));
  for (const channel of channels) assert.match(channel, /^lock:redlatch:wake:[0-9a-f]{16}$/);
  await client.close();
  await holder.close();
  await Promise.all(waiting);
  await until(async () => (await own.send("PUBSUB", "CHANNELS", "*")).length === 0, {
    what: "no subscription",
  });
  await assertAllExpire(own);
});

for (const fair of [false, true]) {
  test(`rule 11: a message that is lost: the poll finds the lock (fair: ${fair})`, async (t) => {
    const key = freshKey();
    const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
    proxy.onFrame = (frame) => (frame.subarray(0, 60).includes("message") ? [] : [frame]);
    const lock = await openClient(t, redis, OFTEN).acquire(key, { fair });
    const { promise } = await afterFirstCall(redis, () =>
      openClient(t, proxy, { ...OFTEN, retry: { min: 50, max: 100 } }).acquire(key, { fair }),
    );
    await lock.release();
    // The message never arrives, so that only the poll can find the lock.
    const next = await settles(promise, SOON, "the poll");
    await next.release();
  });

  test(`rule 11: the connection is cut just when the message comes: the poll finds the lock (fair: ${fair})`, async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const key = freshKey();
      const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
      const lock = await openClient(t, redis, OFTEN).acquire(key, { fair });
      const { promise } = await afterFirstCall(redis, () =>
        openClient(t, proxy, OFTEN).acquire(key, { fair }),
      );
      proxy.onFrame = (frame) => {
        if (!frame.subarray(0, 60).includes("message")) return [frame];
        proxy.cut();
        return [];
      };
      await lock.release();
      const next = await settles(promise, SOON, "the poll over the next connection");
      assert.equal(next.held, true);
      await next.release();
    }
  });
}

test("rule 11: SUBSCRIBE denied by ACL costs wake-ups and nothing else", async (t) => {
  const own = await startRedis(t);
  await own.send("ACL", "SETUSER", "quiet", "on", ">pw", "~*", "+@all", "resetchannels");
  const url = `redis://quiet:pw@127.0.0.1:${own.port}`;
  for (const fair of [false, true]) {
    const key = freshKey();
    const [one, two] = [openClient(t, url, OFTEN), openClient(t, url, OFTEN)];
    const lock = await one.acquire(key, { fair });
    assert.equal(one.inspect().nodes[0].wakes, false);
    const { promise } = await afterFirstCall(own, () => two.acquire(key, { fair }));
    // PUBLISH is denied too: the release is none the worse for it.
    assert.equal(await lock.release(), "released");
    await (await settles(promise, SOON, "the poll")).release();
  }
  // One client may not publish, and another waits for a message that never comes.
  const key = freshKey();
  const lock = await openClient(t, url, OFTEN).acquire(key);
  const { promise } = await afterFirstCall(own, () => openClient(t, own, OFTEN).acquire(key));
  assert.equal(await lock.release(), "released");
  await (await settles(promise, SOON, "the poll")).release();
});

test("rule 11: a server without RESP3 is polled", async (t) => {
  const old = await startRedis(t, { config: { "rename-command": ["HELLO", ""] } });
  for (const fair of [false, true]) {
    const key = freshKey();
    const [one, two] = [openClient(t, old, OFTEN), openClient(t, old, OFTEN)];
    const lock = await one.acquire(key, { fair });
    assert.equal(one.inspect().nodes[0].wakes, false);
    const { promise } = await afterFirstCall(old, () => two.acquire(key, { fair }));
    await lock.release();
    await (await settles(promise, SOON, "the poll")).release();
  }
  assert.equal(await callsOf(old, "subscribe"), 0);
});

test("rule 11: a lease that ends without a release: the waiter has the lock soon after", async (t) => {
  for (const fair of [false, true]) {
    const key = freshKey();
    // A holder that lives would release it.
    await redis.send("SET", `lock:${key}`, "a dead holder's", "PX", 300);
    const lock = await settles(
      openClient(t, redis, { ...OFTEN, retry: { min: 20, max: 4_000 } }).acquire(key, { fair }),
      3_500,
      "the lock, before a poll after 4 s",
    );
    await lock.release();
  }
});

test("rule 11: a woken waiter that died: the next one has the lock after its own poll at the latest", async (t) => {
  const key = freshKey();
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, redis, OFTEN).acquire(key);
  const dead = await afterFirstCall(redis, () => openClient(t, proxy, RARELY).acquire(key));
  const { promise } = await afterFirstCall(redis, () => openClient(t, redis, OFTEN).acquire(key));
  proxy.deaf = true;
  await lock.release();
  await (await settles(promise, SOON, "the next one")).release();
  dead.promise.catch(() => {});
});

test("rule 11: a wake-up is a hint, never a grant: a stranger's message wins nothing", async (t) => {
  const own = await startRedis(t);
  const key = freshKey();
  const lock = await openClient(t, own, RARELY).acquire(key);
  let granted = false;
  const waiting = openClient(t, own, { ...RARELY, wait: 1_500 })
    .acquire(key)
    .then(() => {
      granted = true;
    });
  waiting.catch(() => {});
  await until(async () => (await own.send("PUBSUB", "CHANNELS", "lock:redlatch:wake:*")).length === 2);
  const before = await scriptCalls(own);
  for (let round = 0; round < 200; round += 1) {
    for (const channel of await own.send("PUBSUB", "CHANNELS", "lock:redlatch:wake:*")) {
      for (const text of ["1", "2", "0", "-1", "4294967296", "", "nonsense", "1".repeat(1_000)])
        await own.send("PUBLISH", channel, text);
    }
  }
  assert.equal(granted, false);
  assert.equal(await lock.verify(), true);
  const asked = (await scriptCalls(own)) - before;
  assert.ok(asked < 1_000, `messages by the thousand lead to ${asked} questions`);
  await settles(
    waiting.catch(() => {}),
    3_000,
  );
  await lock.release();
});
