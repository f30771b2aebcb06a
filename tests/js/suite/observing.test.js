// observe and inspect(): what happens in a client, as events and as plain data, never with a secret in it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { everythingShown, NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";

const PASSWORD = "canary-password";
const redis = await startRedis({ after }, { password: PASSWORD });

/** A client, and the events that it has reported. */
function watched(t, server, options = {}) {
  const events = [];
  const client = openClient(t, server, {
    ...options,
    observe: (event) => events.push(event),
  });
  return { client, events, types: () => events.map(({ type }) => type) };
}

test("a plain life: connection, acquired, released", async (t) => {
  const { client, events } = watched(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key);
  await lock.release();
  const fence = String(lock.fence);
  const [, { waited }, { held }] = events;
  assert.deepEqual(events, [
    { type: "connection", node: `127.0.0.1:${redis.port}`, state: "ready" },
    { type: "acquired", keys: [key], fence, waited, attempts: 1 },
    { type: "released", keys: [key], fence, held, outcome: "released" },
  ]);
  assert.ok(waited > 0 && held > 0);
});

test("contended is reported once per acquire, however long it waits", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const { client, events, types } = watched(t, redis, {
    retry: { min: 5, max: 10 },
  });
  const controller = new AbortController();
  const waiting = client.acquire(key, {
    wait: 60_000,
    signal: controller.signal,
  });
  await until(() => client.inspect().counters.attempts >= 5, {
    what: "five attempts",
  });
  controller.abort();
  await rejection(waiting);
  assert.deepEqual(types(), ["connection", "contended"]);
  assert.deepEqual(events[1].keys, [key]);
  assert.equal(await client.tryAcquire(key), null);
  assert.deepEqual(types(), ["connection", "contended", "contended"]);
  await holder.release();
});

test("renewed is reported for each renewal, lost with the data of the signal's error", async (t) => {
  const { client, events, types } = watched(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key, { ttl: 1_500, renew: true });
  await until(() => types().filter((type) => type === "renewed").length >= 3);
  // By itself the lock would not end for a long time. Renewal goes on at a third of its own ttl.
  await lock.extend(60_000);
  await redis.send("DEL", `lock:${key}`);
  await settles(aborted(lock.signal));
  const lost = await until(() => events.find(({ type }) => type === "lost"));
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lost.error.message, lock.signal.reason.message);
  assert.match(lost.error.message, NOT_OURS);
  assert.ok(events.find(({ type }) => type === "renewed").rtt > 0);
  assert.equal(typeof JSON.stringify(events), "string", "plain data, no bigint");
  assert.deepEqual(lost.keys, [key]);
  assert.equal(types().filter((type) => type === "lost").length, 1);
});

test("the end of a connection and the next connection are reported", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const { client, events } = watched(t, redis.url.replace(String(redis.port), String(proxy.port)));
  await (await client.acquire(freshKey())).release();
  proxy.cut();
  await until(() => events.some(({ state }) => state === "ended"), {
    what: "the end",
  });
  await (await client.acquire(freshKey())).release();
  const states = events.filter(({ type }) => type === "connection").map(({ state }) => state);
  assert.deepEqual(states.slice(0, 3), ["ready", "ended", "ready"]);
  const { reason, error } = events.find(({ state }) => state === "ended");
  assert.ok(reason.length > 0 && error.code === "LOCK_CONNECTION", reason);
  assert.equal(client.inspect().nodes[0].fault.code, "LOCK_CONNECTION");
  assert.equal(client.inspect().counters.reconnects, 1);
});

test("a callback that throws, rejects, or calls the client does no harm", async (t) => {
  const key = freshKey();
  let calls = 0;
  const client = openClient(t, redis, {
    observe(event) {
      calls += 1;
      if (event.type === "acquired") client.tryAcquire(key).catch(() => {});
      client.inspect();
      if (calls % 2 === 0) return Promise.reject(new Error("observer"));
      throw new Error("observer");
    },
  });
  const lock = await client.acquire(key);
  assert.equal(lock.held, true);
  assert.equal(await lock.release(), "released");
  assert.ok(calls >= 3);
});

test("without observe nothing changes, and a bad one is refused", async (t) => {
  assert.throws(() => openClient(t, redis, { observe: "yes" }), /observe/);
});

test("inspect(): servers, locks, waiters and counters, as plain data", async (t) => {
  const client = openClient(t, redis, { retry: { min: 5, max: 10 } });
  const fresh = client.inspect();
  assert.deepEqual(fresh.locks, []);
  assert.deepEqual(fresh.waiters, []);
  assert.deepEqual(
    fresh.nodes.map(({ node }) => node),
    [`127.0.0.1:${redis.port}`],
  );

  const [a, b] = [freshKey(), freshKey()];
  const held = await client.acquire([a, b], { ttl: 20_000 });
  const waiting = client.acquire(a, { fair: true, wait: 20_000 });
  await until(() => client.inspect().counters.contended === 1);
  const busy = client.inspect();
  assert.deepEqual(busy.nodes[0].state, "ready");
  assert.equal(busy.nodes[0].wakes, true);
  assert.deepEqual(
    busy.locks.map(({ keys, fair, fence }) => ({ keys, fair, fence })),
    [{ keys: [a, b], fair: false, fence: String(held.fence) }],
  );
  assert.ok(busy.locks[0].remaining > 10_000);
  assert.deepEqual(busy.waiters, [{ keys: [a], fair: true }]);
  assert.equal(typeof JSON.stringify(busy), "string", "plain data, no bigint");
  await held.release();
  await (await settles(waiting)).release();
  const { counters, locks, waiters } = client.inspect();
  assert.deepEqual([locks, waiters], [[], []]);
  assert.equal(counters.acquired, 2);
  assert.equal(counters.released, 2);
  assert.equal(counters.contended, 1);
  assert.equal(counters.lost, 0);
  assert.ok(counters.attempts >= 3 && counters.roundTrips >= counters.attempts);
  await until(() => client.inspect().releasing === 0);
});

test("renewals and losses are counted", async (t) => {
  const client = openClient(t, redis);
  const lock = await client.acquire(freshKey(), {
    ttl: 1_500,
    renew: true,
    maxHold: 3_000,
  });
  await settles(aborted(lock.signal), 10_000);
  assert.match(lock.signal.reason.message, /maxHold/);
  const { counters } = client.inspect();
  assert.equal(counters.lost, 1);
  assert.ok(counters.renewed >= 3, `renewed ${counters.renewed} times`);
});

test("no secret in events or snapshots: no password, no token", async (t) => {
  const { client, events } = watched(t, redis);
  const token = "canary-token";
  const key = freshKey();
  const lock = await client.acquire(key, { token, ttl: 5_000 });
  const minted = await client.acquire(freshKey());
  await client.tryAcquire(key);
  const shown = `${everythingShown(events)}\n${everythingShown(client.inspect())}`;
  for (const secret of [PASSWORD, token, minted.token]) assert.ok(!shown.includes(secret), secret);
  await lock.release();
});
