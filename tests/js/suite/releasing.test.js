// release() has three outcomes, is idempotent, and never throws for a lock that is gone.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";

const redis = await startRedis({ after });

test("released: the key is gone, and every further call says the same", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  const both = await Promise.all([lock.release(), lock.release()]);
  assert.deepEqual(both, ["released", "released"]);
  assert.equal(await lock.release(), "released");
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
  assert.equal(lock.held, false);
});

test("expired: the lease ran out; the answer comes at once", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 100 });
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, {
    what: "the end of the lease",
  });
  const started = performance.now();
  assert.equal(await lock.release(), "expired");
  // No server is asked, which may take the 2 s of nodeTimeout.
  assert.ok(performance.now() - started < 1_500);
  assert.equal(await lock.release(), "expired");
});

test("expired: the key was deleted behind our back", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  await redis.send("DEL", `lock:${key}`);
  assert.equal(await lock.release(), "expired");
});

test("rule 4: expired: another owner has the key, and keeps it", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  await redis.send("SET", `lock:${key}`, "another owner", "PX", 5_000);
  assert.equal(await lock.release(), "expired");
  assert.equal(await redis.send("GET", `lock:${key}`), "another owner");
});

test("unknown: the server does not answer", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 100 }).acquire(freshKey(), { ttl: 5_000 });
  proxy.deaf = true;
  const started = performance.now();
  assert.equal(await settles(lock.release(), 3_000), "unknown");
  assert.ok(performance.now() - started < 2_000);
  assert.equal(lock.held, false);
});

test("a release whose reply was lost still frees the key", async (t) => {
  const key = freshKey();
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 200 }).acquire(key, { ttl: 30_000 });
  proxy.hold = true;
  const outcome = lock.release();
  await until(() => proxy.held > 0, { what: "the reply to the release" });
  proxy.cut();
  proxy.hold = false;
  assert.ok(["released", "unknown", "expired"].includes(await settles(outcome, 3_000)));
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
});

test("rule 5: after release no time to live is ever set again, renewal or not", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  const lock = await client.acquire(key, { ttl: 1_500, renew: true });
  const extending = lock.extend(10_000).catch(() => {});
  assert.equal(await lock.release(), "released");
  await extending;
  // Renewal would be due at 500 ms.
  const end = performance.now() + 800;
  while (performance.now() < end) assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
});

test("Symbol.asyncDispose releases, and never throws", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key);
  assert.equal(await lock[Symbol.asyncDispose](), undefined);
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
  await lock[Symbol.asyncDispose]();
});
