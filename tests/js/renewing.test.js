// renew and maxHold.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "./support/clients.js";
import { aborted, settles, until } from "./support/conditions.js";
import { startProxy } from "./support/proxy.js";
import { startRedis } from "./support/redis.js";
import { LockLostError } from "./support/redlatch.js";

const redis = await startRedis({ after });

test("renewal keeps a lease of 300 ms for 2 s, and stops with the release", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  const lock = await client.acquire(key, { ttl: 300, renew: true });
  const end = performance.now() + 2_000;
  await until(
    async () => {
      assert.equal(lock.held, true);
      assert.equal(await redis.send("GET", `lock:${key}`), lock.token);
      return performance.now() > end;
    },
    { every: 20 },
  );
  assert.equal(lock.signal.aborted, false);
  assert.equal(await lock.release(), "released");
  assert.equal(lock.signal.aborted, false, "a release is not a loss");
});

test("without renew the lease ends", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 200 });
  await settles(aborted(lock.signal), 1_000, "the end of the lease");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lock.signal.reason.code, "LOCK_LOST");
});

test("maxHold ends a renewed lock, and not much later the key is free", async (t) => {
  const key = freshKey();
  const started = performance.now();
  const lock = await openClient(t, redis).acquire(key, { ttl: 300, renew: true, maxHold: 800 });
  const lost = await settles(aborted(lock.signal), 3_000, "maxHold");
  assert.ok(lost - started >= 750 && lost - started < 1_100, `lost after ${lost - started} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lock.held, false);
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { within: 1_000 });
});

test("renewal that finds the key gone is a loss at once, not at the end of the lease", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 1_500, renew: true });
  const started = performance.now();
  await redis.send("DEL", `lock:${key}`);
  const lost = await settles(aborted(lock.signal), 3_000, "the loss");
  assert.ok(lost - started < 1_000, `noticed after ${lost - started} ms`);
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "renewal never makes the key again");
});

test("renewal survives a short silence of the server", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 60 }).acquire(freshKey(), { ttl: 900, renew: true });
  const started = performance.now();
  await until(() => performance.now() - started > 250);
  proxy.hold = true;
  await until(() => performance.now() - started > 600);
  proxy.hold = false;
  await until(() => performance.now() - started > 1_800);
  assert.equal(lock.held, true);
  assert.equal(lock.signal.aborted, false);
  await lock.release();
});

test("a server that dies under a renewed lock: lost in time, by our own clock", async (t) => {
  const own = await startRedis(t);
  const lock = await openClient(t, own).acquire(freshKey(), { ttl: 500, renew: true });
  await own.stop();
  const stopped = performance.now();
  const lost = await settles(aborted(lock.signal), 2_000, "the loss");
  assert.ok(lost - stopped < 600, `noticed after ${lost - stopped} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
});
