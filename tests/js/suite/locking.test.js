// One client, one server: what acquire and tryAcquire give, and what they leave in Redis.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { LockTimeoutError } from "../support/redlatch.js";
import { ANY_PREFIX } from "../support/rights.js";

const redis = await startRedis({ after });

test("a lock is a key with its owner's token and a time to live, under the prefix", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 5_000 });
  const left = await redis.send("PTTL", `lock:${key}`);
  assert.ok(left > 3_000 && left <= 5_000, `PTTL ${left}`);
  assert.deepEqual(lock.keys, [key]);
  assert.match(lock.token, /^[0-9a-f]{40}$/);
  assert.equal(await redis.send("GET", `lock:${key}`), lock.token);
  assert.equal(typeof lock.fence, "bigint");
  assert.equal(lock.held, true);
  assert.ok(
    lock.remaining > 3_000 && lock.remaining <= 5_000 - 52,
    `remaining ${lock.remaining} leaves room for drift`,
  );
  assert.ok(lock.signal instanceof AbortSignal && !lock.signal.aborted);
  assert.equal(await lock.release(), "released");
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
  assert.equal(lock.held, false);
  assert.equal(lock.remaining, 0);
});

test("no key of the package is ever without a time to live", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  const lock = await client.acquire(key);
  const persistent = [];
  for (const name of await redis.send("KEYS", "*")) {
    if ((await redis.send("PTTL", name)) === -1) persistent.push(name);
  }
  assert.deepEqual(persistent, []);
  await lock.release();
});

test("tryAcquire answers null at once when another holds the key, and leaves nothing behind", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const started = performance.now();
  assert.equal(await openClient(t, redis).tryAcquire(key), null);
  assert.ok(performance.now() - started < 4_000);
  assert.equal(await redis.send("GET", `lock:${key}`), holder.token);
  await holder.release();
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
});

test("one client's own second acquisition is another owner, not a re-entry", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key);
  assert.equal(await client.tryAcquire(key), null);
  await lock.release();
});

test("acquire waits for the holder and gets the lock when it is released", async (t) => {
  const key = freshKey();
  const first = await openClient(t, redis).acquire(key);
  let granted = false;
  const waiting = openClient(t, redis, { retry: { min: 5, max: 20 } }).acquire(key, { wait: 20_000 });
  waiting.then(() => (granted = true));
  // Some polls have gone by: the waiter has had every chance to overtake.
  const asked = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.send("INFO", "commandstats"))?.[1] ?? 0);
  const before = await asked();
  await until(async () => (await asked()) >= before + 3, { what: "three polls" });
  assert.equal(granted, false);
  await first.release();
  const second = await waiting;
  assert.ok(second.fence > first.fence);
  await second.release();
});

test("acquire gets the lock of a holder that never releases when the lease ends", async (t) => {
  const key = freshKey();
  const started = performance.now();
  const dead = await openClient(t, redis).acquire(key, { ttl: 300 });
  const lock = await openClient(t, redis, { retry: { min: 5, max: 20 } }).acquire(key, { wait: 5_000 });
  assert.ok(performance.now() - started > 295, "not before the lease ended");
  assert.equal(dead.held, false);
  await lock.release();
});

test("acquire gives up after `wait` with the number of attempts, and leaves the holder alone", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const client = openClient(t, redis, { retry: { min: 10, max: 30 } });
  await (await client.acquire(freshKey())).release();
  const started = performance.now();
  const error = await rejection(client.acquire(key, { wait: 1_000 }));
  const took = performance.now() - started;
  assertLockError(error, { type: LockTimeoutError, code: "LOCK_TIMEOUT", says: [/1000/] });
  assert.ok(Number.isInteger(error.attempts) && error.attempts >= 2, `attempts: ${error.attempts}`);
  assert.ok(took >= 990 && took < 4_000, `took ${took} ms`);
  assert.equal(await redis.send("GET", `lock:${key}`), holder.token);
  await holder.release();
});

test("acquire with wait 0 is one attempt", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const error = await rejection(openClient(t, redis).acquire(key, { wait: 0 }));
  assertLockError(error, { type: LockTimeoutError, code: "LOCK_TIMEOUT" });
  assert.equal(error.attempts, 1);
  await holder.release();
});

test("fences grow across release, expiry and loss of every key", async (t) => {
  const own = await startRedis(t);
  const client = openClient(t, own);
  const fences = [];
  for (const upset of ["release", "expire", "flush", "release"]) {
    const lock = await client.acquire("fenced", { ttl: upset === "expire" ? 100 : 5_000, wait: 5_000 });
    fences.push(lock.fence);
    if (upset === "release") await lock.release();
    if (upset === "expire") await until(async () => (await own.send("EXISTS", "lock:fenced")) === 0);
    if (upset === "flush") await own.send("FLUSHALL");
  }
  for (let at = 1; at < fences.length; at += 1) assert.ok(fences[at] > fences[at - 1], fences.join(" "));
});

test("several keys: all or nothing, duplicates count once", async (t) => {
  const client = openClient(t, redis);
  const [a, b, c] = [freshKey(), freshKey(), freshKey()];
  const pair = await client.acquire([a, b, a]);
  assert.deepEqual([...new Set(pair.keys)].sort(), [a, b].sort());
  assert.equal(await client.tryAcquire([c, b]), null);
  assert.equal(
    await redis.send("EXISTS", `lock:${c}`),
    0,
    "nothing was taken of the set that could not be had",
  );
  assert.equal(await pair.release(), "released");
  const rest = await client.tryAcquire([c, b]);
  assert.notEqual(rest, null);
  await rest.release();
  assert.equal(await redis.send("EXISTS", `lock:${a}`, `lock:${b}`, `lock:${c}`), 0);
});

test("the owner's token may be given, and is kept", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { token: "job 17 / ünï" });
  assert.equal(lock.token, "job 17 / ünï");
  assert.equal(await redis.send("GET", `lock:${key}`), "job 17 / ünï");
  assert.deepEqual(JSON.parse(JSON.stringify(lock)).token, lock.token);
  assert.deepEqual(JSON.parse(JSON.stringify(lock)).keys, [key]);
  assert.equal(await lock.release(), "released");
});

test("prefix: another one, and none", async (t) => {
  const key = freshKey();
  const own = await startRedis(t, { rights: ANY_PREFIX });
  for (const prefix of ["app:locks:", ""]) {
    const lock = await openClient(t, own, { prefix }).acquire(key);
    assert.equal(await own.send("GET", prefix + key), lock.token);
    await lock.release();
  }
});

test("names of any shape are distinct locks", async (t) => {
  const client = openClient(t, redis);
  const names = [
    "{",
    "}",
    "{}",
    "{a}",
    "a}",
    "a\0b",
    "a\0",
    " ",
    "\r\n",
    "ключ",
    "🔒",
    "e\u0301",
    "\u00e9",
    "\ud800",
    "\ud801",
    "\ufffd",
    "x".repeat(65_536),
    "lock:a",
    ":",
  ];
  const locks = [];
  for (const name of names) {
    const lock = await client.tryAcquire(name);
    assert.notEqual(lock, null, `${JSON.stringify(name).slice(0, 20)} collides with another name`);
    assert.equal(await client.tryAcquire(name), null);
    locks.push(lock);
  }
  for (const lock of locks) assert.equal(await lock.release(), "released");
});

test("512 locks at once over one connection", async (t) => {
  const client = openClient(t, redis);
  const base = freshKey();
  const locks = await Promise.all(Array.from({ length: 512 }, (_, at) => client.acquire(`${base}-${at}`)));
  assert.equal(new Set(locks.map((lock) => lock.token)).size, 512);
  assert.equal(locks.filter((lock) => lock.held).length, 512);
  assert.deepEqual(new Set(await Promise.all(locks.map((lock) => lock.release()))), new Set(["released"]));
});
