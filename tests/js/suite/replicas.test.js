// What counts only once replicas have it: grants, extensions and verifications, with the option `replicas`.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { createClient, fromCommand, ServerError } from "../support/redlatch.js";
import { NEEDED } from "../support/rights.js";
import { callsOf } from "../support/server-state.js";

const RIGHTS = [...NEEDED, "+wait"];

async function startReplica(scope, master) {
  const replica = await startRedis(scope, { config: { replicaof: ["127.0.0.1", master.port] } });
  await until(async () => /master_link_status:up/.test(await replica.send("INFO", "replication")), {
    within: 20_000,
    what: "the replica's link",
  });
  return replica;
}

const master = await startRedis({ after }, { config: { "repl-diskless-sync-delay": 0 }, rights: RIGHTS });
const replica = await startReplica({ after }, master);
const OPTIONS = { replicas: 1, nodeTimeout: 300 };

/** While `act` runs, the replica is stopped, and confirms nothing. */
async function withoutReplica(act) {
  replica.pause();
  try {
    return await act();
  } finally {
    replica.resume();
  }
}

const assertNoReplicas = (error) => {
  assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "NOREPLICAS", port: master.port });
  assert.match(error.message, /0 of 1 replicas confirmed within 300 ms/);
};

test("what is granted is on the replica", async (t) => {
  const client = openClient(t, master, OPTIONS);
  for (let round = 0; round < 50; round += 1) {
    const lock = await client.acquire(freshKey());
    assert.equal(await replica.send("GET", `lock:${lock.keys[0]}`), lock.token);
    await lock.extend(60_000);
    assert.ok((await replica.send("PTTL", `lock:${lock.keys[0]}`)) > 50_000);
    assert.equal(await lock.verify(), true);
    assert.equal(await lock.release(), "released");
  }
});

test("commands that are sent together share a WAIT, and releases need none", async (t) => {
  const client = openClient(t, master, OPTIONS);
  await (await client.acquire(freshKey())).release();
  const before = await callsOf(master, "wait");
  const locks = await Promise.all(Array.from({ length: 20 }, () => client.acquire(freshKey())));
  const between = await callsOf(master, "wait");
  await Promise.all(locks.map((lock) => lock.release()));
  assert.equal(between - before, 1);
  assert.equal(await callsOf(master, "wait"), between);
});

test("an attempt that the replica does not confirm fails after nodeTimeout, and leaves nothing", async (t) => {
  const client = openClient(t, master, OPTIONS);
  await (await client.acquire(freshKey())).release();
  const key = freshKey();
  await withoutReplica(async () => {
    assertNoReplicas(await rejection(client.tryAcquire(key)));
    await until(async () => (await master.send("EXISTS", `lock:${key}`)) === 0, { what: "the clean-up" });
  });
  const lock = await client.acquire(key, { wait: 10_000 });
  assert.equal(await lock.release(), "released");
});

test("a waiting acquire is granted once the replica is back", async (t) => {
  const client = openClient(t, master, OPTIONS);
  const key = freshKey();
  const promise = await withoutReplica(async () => {
    const waiting = client.acquire(key, { wait: 20_000 });
    await until(() => client.inspect().waiters.length === 1);
    await until(async () => (await callsOf(master, "wait")) > 0);
    return { waiting };
  });
  const lock = await promise.waiting;
  assert.equal(await replica.send("GET", `lock:${key}`), lock.token);
  await lock.release();
});

test("an extension that the replica does not confirm leaves the lease as it was", async (t) => {
  const client = openClient(t, master, OPTIONS);
  const lock = await client.acquire(freshKey(), { ttl: 20_000 });
  await withoutReplica(async () => {
    assertNoReplicas(await rejection(lock.extend(60_000)));
    assertNoReplicas(await rejection(lock.verify()));
  });
  assert.equal(lock.held, true);
  assert.ok(lock.remaining <= 20_000);
  await lock.extend(60_000);
  assert.ok(lock.remaining > 50_000);
  assert.equal(await lock.release(), "released");
});

test("a replica that takes over has every lock that was granted", async (t) => {
  const own = await startRedis(t, { config: { "repl-diskless-sync-delay": 0 }, rights: RIGHTS });
  const successor = await startReplica(t, own);
  const client = openClient(t, own, OPTIONS);
  const locks = await Promise.all(
    Array.from({ length: 50 }, () => client.acquire(freshKey(), { ttl: 60_000 })),
  );
  await own.stop();
  await successor.send("REPLICAOF", "NO", "ONE");
  const next = openClient(t, successor);
  for (const lock of locks) assert.equal(await next.tryAcquire(lock.keys[0]), null);
});

test("without the right to WAIT, the error says so and nothing is held", async (t) => {
  const name = freshKey("user");
  await master.send("ACL", "SETUSER", name, "on", ">pw", ...NEEDED, "-wait");
  const client = openClient(t, `redis://${name}:pw@127.0.0.1:${master.port}`, OPTIONS);
  const key = freshKey();
  const error = await rejection(client.acquire(key));
  assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "NOPERM", port: master.port });
  assert.match(error.message, /wait/);
  await until(async () => (await master.send("EXISTS", `lock:${key}`)) === 0, { what: "the clean-up" });
});

test("replicas: what is accepted, and where", () => {
  const url = "redis://localhost";
  for (const replicas of [-1, 1.5, 1_001, Number.NaN])
    assert.throws(() => createClient({ url, replicas }), {
      name: "RangeError",
      message: `replicas must be an integer from 0 to 1000; got ${replicas}`,
    });
  assert.throws(() => createClient({ url, replicas: "1" }), { name: "TypeError" });
  const transport = fromCommand(async () => null);
  assert.throws(() => createClient({ transport, replicas: 1 }), {
    name: "TypeError",
    message: /^replicas needs connections of the client's own/,
  });
});
