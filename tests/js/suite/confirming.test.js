// A held lock is asked for as soon as its server is there again: a server that comes back without its data, or another one
// behind the same name, tells the holder at once, and not only at the next renewal.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";
import { scriptCalls } from "../support/server-state.js";

const redis = await startRedis({ after });

/** A renewal is due after 20 s, which no test lasts. */
const LEASE = { ttl: 60_000, renew: true };

/** Ends the connections of all clients that receive wake-ups: not the test's own. */
const cut = (server) => server.send("CLIENT", "KILL", "TYPE", "pubsub");

test("rule 5: a server that restarts without its data ends a renewed lock at once", async (t) => {
  const own = await startRedis(t);
  const client = openClient(t, own);
  const lock = await client.acquire(freshKey(), LEASE);
  const lost = aborted(lock.signal);
  await own.stop();
  await startRedis(t, { port: own.port });
  await settles(lost, 10_000, "the loss");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.match(lock.signal.reason.message, /the server says that the lock is no longer ours/);
});

test("rule 5: a connection that breaks is made again for renewed locks, and the leases begin anew", async (t) => {
  const client = openClient(t, redis);
  const locks = await Promise.all(Array.from({ length: 100 }, () => client.acquire(freshKey(), LEASE)));
  for (const lock of locks) await redis.send("PEXPIRE", `lock:${lock.keys[0]}`, 30_000);
  const before = await scriptCalls(redis);
  await cut(redis);
  const extended = async () => {
    const left = await Promise.all(locks.map((lock) => redis.send("PTTL", `lock:${lock.keys[0]}`)));
    return left.every((span) => span > 50_000);
  };
  await until(extended, { within: 5_000, what: "the new leases" });
  assert.ok(locks.every((lock) => lock.held));
  // They share calls.
  assert.ok((await scriptCalls(redis)) - before <= 5);
});

test("rule 5: a lock that is not renewed is asked for on the next connection, and keeps its lease", async (t) => {
  const client = openClient(t, redis);
  const [kept, gone] = await Promise.all([1, 2].map(() => client.acquire(freshKey(), { ttl: 60_000 })));
  const lost = aborted(gone.signal);
  await redis.send("DEL", `lock:${gone.keys[0]}`);
  await redis.send("PEXPIRE", `lock:${kept.keys[0]}`, 30_000);
  await cut(redis);
  await until(() => client.inspect().nodes[0].state === "idle", { what: "the end of the connection" });
  assert.equal(gone.held, true, "nobody has asked yet");
  await (await client.acquire(freshKey())).release();
  await settles(lost, 5_000, "the loss");
  assert.equal(kept.held, true);
  assert.ok((await redis.send("PTTL", `lock:${kept.keys[0]}`)) <= 30_000);
});

test("rule 5: a server of a Redlock that comes back without its data gives its vote again at once", async (t) => {
  const own = await Promise.all([1, 2, 3].map(() => startRedis(t)));
  const client = openClient(t, own);
  const key = freshKey();
  const lock = await client.acquire(key, LEASE);
  const voteOf = (server) => server.send("GET", `lock:${key}`);
  const heldBy = async (server) => (await voteOf(server)) === lock.token;
  await until(async () => (await Promise.all(own.map(heldBy))).every(Boolean), { what: "all votes" });
  await own[0].stop();
  const again = await startRedis(t, { port: own[0].port });
  await until(() => heldBy(again), { within: 10_000, what: "the vote" });
  assert.equal(lock.held, true);
});
