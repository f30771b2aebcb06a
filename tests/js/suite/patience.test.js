// A stall of our own event loop, or a late grant, must not cost a lock (rule 16).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, stall, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, LockTimeoutError } from "../support/redlatch.js";

const redis = await startRedis({ after });
const target = { host: "127.0.0.1", port: redis.port };
/** As a program without the option has it. */
const defaults = { nodeTimeout: undefined };

/** Lets the client write its commands, and then keeps the event loop busy. */
async function writeThenStall(ms) {
  await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
  stall(ms);
}

/** A client that has connected. */
async function warmClient(t, server, options = defaults) {
  const client = openClient(t, server, options);
  assert.equal(await client.tryAcquire(freshKey("warm-up")).then((lock) => lock.release()), "released");
  return client;
}

for (const [ttl, ms] of [
  [30_000, 1_200],
  [10_000, 1_500],
  [1_000, 80],
  [4_000, 400],
]) {
  test(`rule 16: everything survives a stall of ${ms} ms with ttl ${ttl}`, async (t) => {
    const client = await warmClient(t, redis);
    const trying = client.tryAcquire(freshKey(), { ttl });
    await writeThenStall(ms);
    const lock = await trying;
    assert.ok(lock.remaining > 0 && lock.remaining <= ttl - ms, `${lock.remaining} ms left`);
    for (const operation of [() => lock.verify(), () => lock.extend(30_000), () => lock.release()]) {
      const result = operation();
      await writeThenStall(ms);
      assert.ok([true, undefined, "released"].includes(await result));
      if (!lock.held) break;
    }
  });
}

test("rule 16: a stall in the very tick of the call costs nothing either", async (t) => {
  const client = await warmClient(t, redis);
  const trying = client.tryAcquire(freshKey(), { ttl: 2_000 });
  stall(1_200);
  assert.equal((await trying).held, true);
  const waiting = client.acquire(freshKey(), { ttl: 5_000, wait: 300 });
  stall(1_200);
  assert.equal((await waiting).held, true);
});

test("rule 16: a Redlock survives a stall", async (t) => {
  const servers = [redis, await startRedis(t), await startRedis(t)];
  const client = await warmClient(t, servers);
  const trying = client.tryAcquire(freshKey(), { ttl: 5_000 });
  await writeThenStall(1_200);
  const lock = await trying;
  assert.equal(lock.held, true);
  const releasing = lock.release();
  await writeThenStall(1_200);
  assert.equal(await releasing, "released");
});

test("rule 16: a stall of 1.2 s while connecting, with connectTimeout 1000, connects", async (t) => {
  const client = openClient(t, redis, { ...defaults, connectTimeout: 1_000 });
  const trying = client.tryAcquire(freshKey());
  await writeThenStall(1_200);
  assert.equal((await trying).held, true);
});

for (const [roundTrip, ttl, emptied] of [
  [120, 2_000],
  [60, 1_000],
  [260, 5_000],
  [120, 4_000, true],
  [150, 400],
]) {
  test(`rule 16: a server ${roundTrip} ms away grants a lock of ${ttl} ms${emptied ? ", with an empty script cache" : ""}`, async (t) => {
    const proxy = await startProxy(t, target);
    proxy.requestDelay = proxy.delay = roundTrip / 2;
    if (emptied) await redis.send("SCRIPT", "FLUSH");
    const client = openClient(t, proxy, defaults);
    const lock = await client.acquire(freshKey(), { ttl, wait: 5_000 });
    const took = emptied ? 2 * roundTrip : roundTrip;
    assert.ok(lock.remaining > ttl * 0.98 - 2 - took - 150, `${lock.remaining} ms left`);
    assert.equal(client.inspect().counters.attempts, 1, "asked once");
    await lock.extend(ttl);
    assert.equal(await lock.release(), "released");
  });
}

for (const [what, start] of [
  ["a server", async (t) => startProxy(t, target)],
  ["a majority", async (t) => Promise.all([1, 2, 3].map(async () => startProxy(t, await startRedis(t))))],
]) {
  test(`rule 16: ${what} farther away than the wait is a time-out, and leaves nothing`, async (t) => {
    const proxies = await start(t);
    const far = (ms) => {
      for (const proxy of [proxies].flat()) proxy.requestDelay = proxy.delay = ms / 2;
    };
    const events = [];
    const client = openClient(t, proxies, { observe: ({ type }) => events.push(type) });
    const key = freshKey();
    far(1_500);
    // At first it is the handshake that takes too long.
    assert.equal(await client.tryAcquire(key, { wait: 150 }), null);
    far(0);
    await (await client.acquire(freshKey())).release();
    far(1_500);
    assert.equal(await client.tryAcquire(key, { wait: 150 }), null);
    const error = await rejection(client.acquire(key, { wait: 150 }));
    assert.ok(error instanceof LockTimeoutError, String(error));
    assert.match(error.message, /within 150 ms \(1 attempt; no answer yet\)/);
    assert.equal(error.cause, undefined);
    assert.equal(events.filter((type) => type === "timed-out").length, 3);
    far(0);
    assert.equal(
      (await client.acquire(key, { ttl: 60_000 })).held,
      true,
      "what was granted late is released",
    );
  });
}

test("rule 16: a fault before the end of the wait is the error, also of a try", async (t) => {
  const proxy = await startProxy(t, target);
  const client = await warmClient(t, proxy);
  proxy.deaf = "replies";
  const trying = client.tryAcquire(freshKey(), { wait: 400 });
  await until(() => client.inspect().nodes[0].pending > 0, { what: "the command" });
  proxy.cut();
  const error = await rejection(trying);
  assert.ok(error instanceof ConnectionError, String(error));
  assert.match(error.message, /no connection within the wait of 400 ms/);
});

test("rule 16: a renewed lock on a far server is kept", async (t) => {
  const proxy = await startProxy(t, target);
  proxy.requestDelay = proxy.delay = 100;
  const client = openClient(t, proxy, defaults);
  const lock = await client.acquire(freshKey(), { ttl: 1_500, renew: true });
  await until(() => client.inspect().counters.renewed >= 5, { within: 20_000, what: "five renewals" });
  assert.equal(lock.held, true);
  assert.equal(await lock.release(), "released");
});

test("rule 16: a wall clock set forward by 2 s makes nobody late", async (t) => {
  const proxy = await startProxy(t, target);
  let ahead = 0;
  const clock = {
    now: () => performance.now(),
    wall: () => Date.now() + ahead,
    setTimeout: (callback, ms) => setTimeout(callback, ms),
    clearTimeout: (timer) => clearTimeout(timer),
  };
  const client = await warmClient(t, proxy, { ...defaults, clock });
  proxy.hold = true;
  const waiting = client.acquire(freshKey(), { ttl: 30_000, wait: 1_500 });
  await until(() => proxy.held > 0, { what: "the reply" });
  ahead = 2_000;
  // The client reads its clocks on the way.
  const trying = client.tryAcquire(freshKey());
  await new Promise((resolve) => setTimeout(resolve, 50));
  proxy.hold = false;
  const lock = await settles(waiting);
  assert.ok(lock.remaining < 28_000, "the lease takes the larger elapsed time");
  assert.equal((await trying).held, true);
});

test("rule 16: 40 000 acquires in one tick are all granted, with one command each", {
  timeout: 120_000,
}, async (t) => {
  const server = await startRedis(t);
  const client = openClient(t, server, defaults);
  const count = 40_000;
  const locks = await Promise.all(
    Array.from({ length: count }, (_, index) =>
      client.acquire(`many-${index}`, { ttl: 60_000, wait: 30_000 }),
    ),
  );
  assert.equal(locks.filter(({ held }) => held).length, count);
  const stats = await server.send("INFO", "commandstats");
  const calls = [...stats.matchAll(/cmdstat_eval(?:sha)?:calls=(\d+)/g)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );
  assert.ok(calls <= 1.1 * count, `${calls} commands`);
});
