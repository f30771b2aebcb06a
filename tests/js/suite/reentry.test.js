// Acquiring again with a token under which this client holds the same keys: one lease, and the last release frees the lock.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";
import { keysLeft, tokenOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const servers = [redis, await startRedis({ after }), await startRedis({ after })];
const owner = (key) => tokenOf(redis, key);

const kinds = [
  ["plain", redis, {}],
  ["fair", redis, { fair: true }],
  ["several keys", redis, {}, 3],
  ["several servers", servers, {}],
];

for (const [kind, server, options, count = 1] of kinds) {
  test(`re-entry shares the lease, and only the last release frees the lock (${kind})`, async (t) => {
    const client = openClient(t, server);
    const keys = Array.from({ length: count }, () => freshKey());
    const token = `owner of ${keys[0]}`;
    const outer = await client.acquire(keys, { ...options, token });
    const inner = await settles(client.acquire([...keys].reverse(), { ...options, token, wait: 0 }));
    const third = await client.tryAcquire(keys, { ...options, token });
    assert.equal(inner.fence, outer.fence);
    assert.equal(inner.token, token);
    for (const lock of [outer, inner, third]) assert.equal(lock.held, true);
    // Each a moment after the other.
    const [before, between, after] = [inner.remaining, outer.remaining, inner.remaining];
    assert.ok(before >= between && between >= after, `one lease: ${[before, between, after]}`);
    assert.equal(await inner.release(), "released");
    assert.equal(inner.held, false);
    assert.equal(inner.signal.aborted, false, "a release is not a loss");
    assert.equal(outer.held, true);
    // In any order: the one that was first does not have to be last.
    assert.equal(await outer.release(), "released");
    assert.equal(third.held, true);
    // A majority of several servers suffices, so that the first one may still be on its way.
    await until(async () => (await owner(keys[0])) === token);
    assert.equal(await openClient(t, server).tryAcquire(keys[0], options), null);
    assert.equal(await third.release(), "released");
    await until(async () => (await keysLeft(redis, `lock:*${keys[0]}*`)).length === 0);
    assert.equal(await owner(keys[0]), null);
  });
}

test("a drawn token re-enters as well", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const outer = await client.acquire(key);
  const inner = await client.acquire(key, { token: outer.token });
  assert.equal(inner.token, outer.token);
  assert.equal(await outer.release(), "released");
  assert.equal(await inner.verify(), true);
  assert.equal(await inner.release(), "released");
  assert.equal(await owner(key), null);
});

test("another token, other keys, or another client do not re-enter", async (t) => {
  const client = openClient(t, redis);
  const [a, b] = [freshKey(), freshKey()];
  const lock = await client.acquire(a, { token: "one" });
  assert.equal(await client.tryAcquire(a, { token: "two" }), null);
  const both = await client.tryAcquire([a, b], { token: "two" });
  assert.equal(both, null);
  assert.equal(await lock.release(), "released");
  assert.equal(await owner(a), null);
});

test("rule 5: an inner release keeps the renewal, and an inner acquire may start it", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const outer = await client.acquire(key, { ttl: 1_500, renew: true, token: "t" });
  const inner = await client.acquire(key, { ttl: 1_500, token: "t" });
  await inner.release();
  const other = freshKey();
  const first = await client.acquire(other, { ttl: 1_500, token: "t" });
  const second = await client.acquire(other, { ttl: 1_500, token: "t", renew: true });
  // Longer than a lease.
  const end = performance.now() + 2_000;
  await until(async () => {
    for (const lock of [outer, first]) assert.equal(lock.held, true);
    for (const each of [key, other]) assert.equal(await owner(each), "t");
    return performance.now() > end;
  });
  for (const lock of [outer, second, first]) assert.equal(await lock.release(), "released");
});

test("using() inside of using()", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  await client.using(key, { token: "t" }, async (outer) => {
    await client.using(key, { token: "t" }, async (inner) => assert.equal(inner.fence, outer.fence));
    assert.equal(outer.held, true);
    assert.equal(await owner(key), "t");
  });
  assert.equal(await owner(key), null);
});

for (const fate of ["deleted", "deleted and taken by somebody else"]) {
  test(`rule 4: the owner's key ${fate}: re-entry fails, and touches nothing`, async (t) => {
    const client = openClient(t, redis);
    const key = freshKey();
    const outer = await client.acquire(key, { ttl: 20_000, token: "t" });
    await redis.send("DEL", `lock:${key}`);
    if (fate !== "deleted") await redis.send("SET", `lock:${key}`, "a stranger", "PX", 10_000);
    const error = await rejection(client.acquire(key, { token: "t", wait: 0 }));
    assert.ok(error instanceof LockLostError || error.code === "LOCK_TIMEOUT", String(error));
    await settles(aborted(outer.signal), 5_000, "the loss of the outer lock");
    assert.equal(outer.held, false);
    assert.notEqual(await outer.release(), "released");
    assert.equal(await owner(key), fate === "deleted" ? null : "a stranger");
  });

  test(`rule 5: the owner's key ${fate}: renewal fails for every holder, and touches nothing`, async (t) => {
    const client = openClient(t, redis);
    const key = freshKey();
    const outer = await client.acquire(key, { ttl: 1_500, renew: true, token: "t" });
    const inner = await client.acquire(key, { ttl: 1_500, token: "t" });
    // By itself the lock would not end for a long time. Renewal goes on at a third of its own ttl.
    await inner.extend(60_000);
    await redis.send("DEL", `lock:${key}`);
    if (fate !== "deleted") await redis.send("SET", `lock:${key}`, "a stranger", "PX", 30_000);
    await settles(
      Promise.all([aborted(outer.signal), aborted(inner.signal)]),
      5_000,
      "the loss, reported to both",
    );
    for (const lock of [outer, inner]) {
      assert.ok(lock.signal.reason instanceof LockLostError);
      assert.match(lock.signal.reason.message, NOT_OURS);
      assert.notEqual(await lock.release(), "released");
    }
    assert.equal(await owner(key), fate === "deleted" ? null : "a stranger");
    if (fate === "deleted") return;
    const left = await redis.send("PTTL", `lock:${key}`);
    assert.ok(left > 20_000 && left <= 30_000, `PTTL ${left}`);
  });
}

test("rule 6: the loss of a lock that was entered three times is reported to each holder once", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const locks = [];
  for (const _ of [1, 2, 3]) locks.push(await client.acquire(key, { ttl: 1_200, token: "t" }));
  let told = 0;
  for (const lock of locks) lock.signal.addEventListener("abort", () => (told += 1));
  await settles(Promise.all(locks.map((lock) => aborted(lock.signal))), 5_000);
  assert.equal(told, 3);
  for (const lock of locks) assert.equal(lock.held, false);
});

test("an aborted re-entry changes nothing for the holder", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const outer = await client.acquire(key, { token: "t" });
  const controller = new AbortController();
  const entering = client.acquire(key, { token: "t", signal: controller.signal });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.equal(await rejection(entering), reason);
  assert.equal(outer.held, true);
  assert.equal(await outer.verify(), true);
  assert.equal(await outer.release(), "released");
  assert.equal(await owner(key), null);
});

test("close() of a client with a lock entered twice frees it", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  for (const _ of [1, 2]) await client.acquire(key, { token: "t" });
  await client.close();
  assert.equal(await owner(key), null);
});

test("thousands of calls with one token at once share one lock", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const locks = await settles(
    Promise.all(Array.from({ length: 3_000 }, () => client.acquire(key, { token: "mine" }))),
    30_000,
  );
  assert.equal(await owner(key), "mine");
  await settles(Promise.all(locks.map((lock) => lock.release())), 30_000);
  await until(async () => (await owner(key)) === null);
});
