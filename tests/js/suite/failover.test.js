// What holds when a replica takes over. What no client can promise then is in tests/js/limits.test.js.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { nobody, startRedis } from "../support/redis.js";
import { LockLostError, ServerError } from "../support/redlatch.js";

/** A master with a replica in step. */
async function startPair(scope, config = {}) {
  const master = await startRedis(scope, { config: { "repl-diskless-sync-delay": 0, ...config } });
  const replica = await startRedis(scope, { config: { replicaof: ["127.0.0.1", master.port] } });
  await until(async () => /master_link_status:up/.test(await replica.send("INFO", "replication")), {
    what: "the replica's link",
  });
  return { master, replica };
}

/** Cuts the replica off: it keeps what it has and hears no more. */
async function cutOff(replica) {
  await replica.send("REPLICAOF", "127.0.0.1", nobody[0].port);
}

test("a replica that had a lock refuses others, and its owner goes on with it", async (t) => {
  const { master, replica } = await startPair(t);
  const key = freshKey();
  const lock = await openClient(t, master).acquire(key, { ttl: 10_000 });
  await until(async () => (await replica.send("GET", `lock:${key}`)) === lock.token, { what: "the copy" });
  await master.stop();
  await replica.send("REPLICAOF", "NO", "ONE");
  const client = openClient(t, replica);
  assert.equal(await client.tryAcquire(key), null);
  const adopted = await client.adopt(JSON.parse(JSON.stringify(lock)));
  assert.equal(await adopted.release(), "released");
});

test("rule 13: a demoted master still has the key, but its answer does not count", async (t) => {
  const { master, replica } = await startPair(t);
  const client = openClient(t, master);
  const lock = await client.acquire(freshKey(), { ttl: 20_000 });
  assert.equal(await lock.verify(), true);
  await replica.send("REPLICAOF", "NO", "ONE");
  await master.send("REPLICAOF", "127.0.0.1", replica.port);
  assert.equal(await master.send("GET", `lock:${lock.keys[0]}`), lock.token);
  const error = await rejection(lock.verify());
  assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "READONLY", port: master.port });
});

test("rule 13: a verification leaves the lease as it was, however much of it is left", async (t) => {
  const redis = await startRedis(t);
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 20_000 });
  const key = `lock:${lock.keys[0]}`;
  // The script reads the lease and writes it again. A busy machine may run something else between the two, but not every
  // time; a verification that extends the lease would move its end each time.
  let isKept = false;
  for (let attempt = 0; attempt < 5 && !isKept; attempt += 1) {
    const ends = await redis.send("PEXPIRETIME", key);
    isKept = true;
    for (let round = 0; round < 20; round += 1) {
      assert.equal(await lock.verify(), true);
      if (Math.abs((await redis.send("PEXPIRETIME", key)) - ends) > 1) isKept = false;
    }
  }
  assert.ok(isKept);
});

test("split brain: a master that requires replicas grants no lock alone, and its holder learns of the loss in time", async (t) => {
  const config = { "min-replicas-to-write": 1, "min-replicas-max-lag": 1 };
  const { master, replica } = await startPair(t, config);
  const key = freshKey();
  const client = openClient(t, master);
  await until(async () => (await master.send("SET", "probe", "1").catch(() => null)) === "OK", {
    what: "a good replica",
  });
  const first = await client.acquire(key, { ttl: 2_500, renew: true });
  const lost = aborted(first.signal);
  await cutOff(replica);
  await replica.send("REPLICAOF", "NO", "ONE");
  await settles(lost, 10_000, "the loss");
  assert.ok(first.signal.reason instanceof LockLostError);
  assert.equal(first.held, false);
  assertLockError(await rejection(client.tryAcquire(freshKey())), {
    type: ServerError,
    code: "LOCK_SERVER",
    prefix: "NOREPLICAS",
    port: master.port,
  });
  // The copy ends when the lease does that was last granted there, so the first holder is out by then.
  const second = await openClient(t, replica).acquire(key, { wait: 10_000 });
  assert.ok(second.fence > first.fence);
});
