// Waiters are woken when the lock comes free; where the message cannot come, or is lost, the poll finds it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire, callsOf, inLine, scriptCalls } from "../support/server-state.js";

const redis = await startRedis({ after });
/** No poll of these comes before 4 s are over: with wake-ups they are at one to four times `retry.max`. */
const RARELY = { retry: { min: 2_000, max: 4_000 }, ttl: 60_000, wait: 60_000 };
const OFTEN = { retry: { min: 10, max: 20 }, ttl: 60_000, wait: 30_000 };
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** How many commands of waiters a server is sent in a second. */
async function callsPerSecond(server) {
  const started = performance.now();
  const before = await scriptCalls(server);
  await pause(1_000);
  const calls = (await scriptCalls(server)) - before;
  return (calls * 1_000) / (performance.now() - started);
}

/** Resolves when one more command of that server's waiters has been answered. */
async function asks(server, start) {
  const before = await scriptCalls(server);
  const promise = start();
  promise.catch(() => {});
  await until(async () => (await scriptCalls(server)) > before, { every: 1, what: "the first attempt" });
  return { promise };
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
      const { promise } = await asks(redis, () => clients[round % 2].acquire(key, { fair }));
      const released = performance.now();
      await lock.release();
      lock = await settles(promise, 3_500, "the hand-over");
      gaps.push(performance.now() - released);
    }
    await lock.release();
    assert.ok(median(gaps) < 50, `the hand-over took ${median(gaps)} ms`);
  });
}

test("rule 11: two locks of one client that wait for each other's keys are woken each for its own", async (t) => {
  const [a, b] = [freshKey(), freshKey()];
  const holder = openClient(t, redis, RARELY);
  const client = openClient(t, redis, RARELY);
  const [onA, onB] = [await holder.acquire(a), await holder.acquire(b)];
  const waitA = await asks(redis, () => client.acquire(a));
  const waitB = await asks(redis, () => client.acquire(b));
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
  const channels = await own.send("PUBSUB", "CHANNELS", "redlatch:*");
  assert.ok(channels.length <= 2, channels.join(" "));
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
    let lost = 0;
    proxy.onFrame = (frame) => {
      if (!frame.subarray(0, 60).includes("message")) return [frame];
      lost += 1;
      return [];
    };
    const lock = await openClient(t, redis, OFTEN).acquire(key, { fair });
    const { promise } = await asks(redis, () =>
      openClient(t, proxy, { ...OFTEN, retry: { min: 50, max: 100 } }).acquire(key, { fair }),
    );
    const released = performance.now();
    await lock.release();
    // Within 400 ms, and what a busy machine adds; without the poll, never.
    const next = await settles(promise, 2_000, "the poll");
    const took = performance.now() - released;
    assert.ok(lost === 1 || took < 100, "the message was lost, or the poll came first");
    await next.release();
  });

  test(`rule 11: the connection is cut just when the message comes: the poll finds the lock (fair: ${fair})`, async (t) => {
    for (let round = 0; round < 5; round += 1) {
      const key = freshKey();
      const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
      const lock = await openClient(t, redis, OFTEN).acquire(key, { fair });
      const { promise } = await asks(redis, () => openClient(t, proxy, OFTEN).acquire(key, { fair }));
      proxy.onFrame = (frame) => {
        if (!frame.subarray(0, 60).includes("message")) return [frame];
        proxy.cut();
        return [];
      };
      await lock.release();
      const next = await settles(promise, 3_000, "the poll over the next connection");
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
    const { promise } = await asks(own, () => two.acquire(key, { fair }));
    // PUBLISH is denied too: the release is none the worse for it.
    assert.equal(await lock.release(), "released");
    await (await settles(promise, 3_000, "the poll")).release();
  }
  // One who may not publish, and another who waits for the message in vain.
  const key = freshKey();
  const lock = await openClient(t, url, OFTEN).acquire(key);
  const { promise } = await asks(own, () => openClient(t, own, OFTEN).acquire(key));
  assert.equal(await lock.release(), "released");
  await (await settles(promise, 3_000, "the poll")).release();
});

test("rule 11: a server without RESP3 is polled", async (t) => {
  const old = await startRedis(t, { config: { "rename-command": ["HELLO", ""] } });
  for (const fair of [false, true]) {
    const key = freshKey();
    const [one, two] = [openClient(t, old, OFTEN), openClient(t, old, OFTEN)];
    const lock = await one.acquire(key, { fair });
    assert.equal(one.inspect().nodes[0].wakes, false);
    const { promise } = await asks(old, () => two.acquire(key, { fair }));
    await lock.release();
    await (await settles(promise, 3_000, "the poll")).release();
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
  const dead = await asks(redis, () => openClient(t, proxy, RARELY).acquire(key));
  const { promise } = await asks(redis, () => openClient(t, redis, OFTEN).acquire(key));
  proxy.deaf = true;
  await lock.release();
  await (await settles(promise, 3_000, "the next one")).release();
  dead.promise.catch(() => {});
});

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
  await until(async () => (await scriptCalls(own)) > 1_000, {
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
  // When all stand in line, each has asked for itself, and the first of each client asks for all.
  await until(async () => (await inLine(own, key)) === 500, { within: 20_000, what: "the line" });
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
  await until(async () => (await own.send("PUBSUB", "CHANNELS", "redlatch:wake:*")).length === 2);
  const before = await scriptCalls(own);
  for (let round = 0; round < 200; round += 1) {
    for (const channel of await own.send("PUBSUB", "CHANNELS", "redlatch:wake:*")) {
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
