// extend() and verify(): the server's word about a lease.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, LockLostError } from "../support/redlatch.js";

const redis = await startRedis({ after });

/** The lease is that long, less the allowance of 1 % and 2 ms, from when it was asked for or a moment later. */
function assertRemaining(lock, ttl, asked) {
  const valid = ttl - ttl / 100 - 2;
  const { remaining } = lock;
  const passed = performance.now() - asked;
  assert.ok(
    remaining <= valid && remaining > valid - passed - 1,
    `remaining ${remaining} after ${passed} ms`,
  );
}

test("extend prolongs the lease on the server and on our clock, from the moment of sending", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 3_000 });
  const asked = performance.now();
  await lock.extend(8_000);
  const left = await redis.send("PTTL", `lock:${key}`);
  assert.ok(left > 5_000 && left <= 8_000, `PTTL ${left}`);
  assertRemaining(lock, 8_000, asked);
  await lock.extend(500);
  assert.ok((await redis.send("PTTL", `lock:${key}`)) > 4_000, "the server never shortens a lease");
  assert.equal(lock.held, true);
  await lock.release();
});

test("extend without a number gives the lease that the lock was taken with", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 3_000 });
  await until(() => lock.remaining < 2_850);
  const asked = performance.now();
  await lock.extend();
  assertRemaining(lock, 3_000, asked);
  await lock.release();
});

test("extend of a lock that is gone rejects, ends the lock, and never makes the key again", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  await redis.send("DEL", `lock:${key}`);
  const error = await rejection(lock.extend(5_000));
  assertLockError(error, { type: LockLostError, code: "LOCK_LOST" });
  assert.equal(lock.held, false);
  await settles(aborted(lock.signal), 5_000, "the signal");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
  assert.ok((await rejection(lock.extend(5_000))) instanceof LockLostError);
});

test("extend of a released lock rejects", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey());
  await lock.release();
  assert.equal((await rejection(lock.extend(5_000))).code, "LOCK_LOST");
});

test("extend without an answer rejects and leaves the old lease as it was", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 100 }).acquire(freshKey(), { ttl: 5_000 });
  proxy.deaf = true;
  const error = await rejection(lock.extend(60_000), 3_000);
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION" });
  assert.equal(lock.held, true);
  assert.ok(lock.remaining <= 5_000, "an unknown outcome gives no time");
  assert.equal(lock.signal.aborted, false);
});

test("extend refuses a bad lease by name", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey());
  for (const ttl of [0, -1, 1.5, NaN, 99, "5s", 2 ** 53, null]) {
    const error = await rejection(lock.extend(ttl));
    assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    assert.match(error.message, /ttl/);
  }
  assert.equal(lock.held, true);
  await lock.release();
});

test("verify asks the server", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  assert.equal(await lock.verify(), true);
  await redis.send("SET", `lock:${key}`, "another owner", "PX", 5_000);
  assert.equal(await lock.verify(), false);
  assert.equal(lock.held, false, "not ours on the server is a loss");
  await settles(aborted(lock.signal), 5_000, "the signal");
  assert.ok(lock.signal.reason instanceof LockLostError);
});

test("verify without an answer rejects: neither yes nor no", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 100 }).acquire(freshKey(), { ttl: 5_000 });
  proxy.deaf = true;
  assertLockError(await rejection(lock.verify(), 3_000), { type: ConnectionError, code: "LOCK_CONNECTION" });
  assert.equal(lock.held, true);
});
