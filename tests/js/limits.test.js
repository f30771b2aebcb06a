// What no client can promise, shown on real servers: two believe that they hold one lock. The fence tells them apart each time.
// www/guide/guarantees.md says so to the reader.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryServer } from "redlatch/memory";
import { freshKey, openClient } from "./support/clients.js";
import { aborted, settles, until } from "./support/conditions.js";
import { nobody, startRedis } from "./support/redis.js";

/** Both believe in the lock, and a write with the fence of the first can be told from one with that of the second. */
function assertTwoBelieve(first, second) {
  assert.equal(first.held, true);
  assert.equal(second.held, true);
  assert.ok(second.fence > first.fence, `${second.fence} after ${first.fence}`);
}

const isReplica = (server, of) => async () => {
  const info = await server.send("INFO", "replication");
  return info.includes(`master_port:${of.port}\r\n`) && info.includes("master_link_status:up");
};

test("a failover to a replica that had not heard of the lock: two holders, and the fence grows", async (t) => {
  const master = await startRedis(t, { config: { "repl-diskless-sync-delay": 0 } });
  const replica = await startRedis(t);
  const key = freshKey();
  await replica.send("REPLICAOF", "127.0.0.1", master.port);
  await until(isReplica(replica, master), { within: 10_000, what: "the replica's first copy" });
  // The link is down when the lock is taken.
  await replica.send("REPLICAOF", "127.0.0.1", nobody[0].port);
  const first = await openClient(t, master).acquire(key);
  await master.stop();
  await replica.send("REPLICAOF", "NO", "ONE");
  const second = await openClient(t, replica).acquire(key);
  assertTwoBelieve(first, second);
});

test("min-replicas-to-write: a server without a replica grants nothing and extends nothing", async (t) => {
  const server = await startRedis(t);
  const client = openClient(t, server);
  const lock = await client.acquire(freshKey(), { ttl: 700, renew: true });
  await server.send("CONFIG", "SET", "min-replicas-to-write", "1");
  await assert.rejects(client.tryAcquire(freshKey()), { code: "LOCK_SERVER", prefix: "NOREPLICAS" });
  await settles(aborted(lock.signal), 3_000, "the loss of a lock that cannot be renewed");
});

test("a server that evicts: two holders, and the renewal tells the first", async (t) => {
  const server = await startRedis(t, { config: { "maxmemory-policy": "volatile-ttl" } });
  const key = freshKey();
  const first = await openClient(t, server).acquire(key, { ttl: 20_000 });
  const { used_memory: used } = Object.fromEntries(
    (await server.send("INFO", "memory")).split("\r\n").map((line) => line.split(":")),
  );
  await server.send("CONFIG", "SET", "maxmemory", Number(used) + 1_000_000);
  // Other data evicts whatever expires first: the lock.
  await until(async () => {
    await server.send("SET", freshKey("cache"), "x".repeat(50_000), "PX", 3_600_000);
    return (await server.send("EXISTS", `lock:${key}`)) === 0;
  });
  const second = await openClient(t, server).acquire(key);
  assertTwoBelieve(first, second);
  assert.equal(await first.verify(), false);
  assert.equal(first.held, false);
});

test("noeviction: a server that is full refuses new locks and keeps the old ones", async (t) => {
  const server = await startRedis(t, { config: { "maxmemory-policy": "noeviction" } });
  const client = openClient(t, server);
  const lock = await client.acquire(freshKey());
  await server.send("CONFIG", "SET", "maxmemory", "1");
  await assert.rejects(client.tryAcquire(freshKey()), { code: "LOCK_SERVER", prefix: "OOM" });
  await lock.extend();
  assert.equal(await lock.release(), "released");
});

test("a restart without persistence forgets a lock; with appendfsync always it does not", async (t) => {
  const key = freshKey();
  for (const [config, kept] of [
    [{ appendonly: "no" }, false],
    [{ appendonly: "yes", appendfsync: "always" }, true],
  ]) {
    const server = await startRedis(t, { config });
    const first = await openClient(t, server).acquire(key);
    await server.stop();
    const again = await startRedis(t, { config, port: server.port, folder: server.folder });
    const second = await openClient(t, again).tryAcquire(key);
    assert.equal(second === null, kept);
    if (second !== null) assertTwoBelieve(first, second);
  }
});

// Redis 7.0 reads that file with the default user's rights, in which PEXPIRE stands as PEXPIREAT (redis#14541).
test("with appendfsync always, and no more rights than the README asks for, a restart forgets no extension", async (t) => {
  const config = { appendonly: "yes", appendfsync: "always" };
  const key = freshKey();
  const server = await startRedis(t, { config });
  const lock = await openClient(t, server).acquire(key, { ttl: 5_000 });
  await lock.extend(30_000);
  await server.stop();
  const again = await startRedis(t, { config, port: server.port, folder: server.folder });
  const names = await again.send("KEYS", "*");
  assert.ok(names.includes(`lock:${key}`), "the lock");
  for (const name of names) assert.ok((await again.send("PTTL", name)) > 10_000, name);
});

test("a server whose clock is set forward by a lease: two holders, and the fence grows", async (t) => {
  let ahead = 0;
  const { transport } = createMemoryServer({ now: () => Date.now() + ahead });
  const key = freshKey();
  const first = await openClient(t, undefined, { transport }).acquire(key, { ttl: 30_000 });
  ahead = 31_000;
  const second = await openClient(t, undefined, { transport }).acquire(key);
  assertTwoBelieve(first, second);
});

test("Redlock: one server that restarts empty is enough for two holders, where a bare majority had granted", async (t) => {
  const servers = [createMemoryServer(), createMemoryServer(), createMemoryServer()];
  let isDown = true;
  const last = {
    ...servers[2].transport,
    connect: (...args) =>
      isDown ? Promise.reject(new Error("down")) : servers[2].transport.connect(...args),
  };
  const nodes = [servers[0].transport, servers[1].transport, last].map((transport) => ({ transport }));
  const key = freshKey();
  const first = await openClient(t, undefined, { nodes }).acquire(key);
  servers[1].flush();
  isDown = false;
  const second = await openClient(t, undefined, { nodes }).acquire(key);
  assert.equal(first.held, true);
  assert.equal(second.held, true);
});

test("fences grow also when the counter is lost, or the server's clock is set back, but not when both happen", async (t) => {
  let now = Date.now();
  const server = createMemoryServer({ now: () => now });
  const client = openClient(t, undefined, { transport: server.transport });
  const key = freshKey();
  const nextFence = async () => {
    now += 1;
    const lock = await client.acquire(key);
    await lock.release();
    return lock.fence;
  };
  const first = await nextFence();
  server.flush();
  const second = await nextFence();
  assert.ok(second > first, "the counter is lost");
  now -= 60_000;
  const third = await nextFence();
  assert.ok(third > second, "the clock is set back");
  server.flush();
  assert.ok((await nextFence()) < third, "both");
});
