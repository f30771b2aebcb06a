// The scripts of the fair lock, called directly: for what no client of the package can be made to do at will.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freshKey } from "../support/clients.js";
import { until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire, derivedKey, sourceOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const [ACQUIRE, RELEASE] = ["fair_acquire", "fair_release"].map(sourceOf);

const COUNTER = "redlatch:fence";
const keysOf = (key) => [key, ...["queue", "places"].map((role) => derivedKey(role, key))];

/**
 * Acquires `key` for a waiter "client:number", whose name is also its token. Resolves to the fence or the hint, and with a
 * hint to whether the waiter has joined, and to another waiter of the client that is the head.
 */
async function ask(key, waiter, { lease = 20_000, position = 10_000, join = 1 } = {}) {
  const keys = [...keysOf(key), COUNTER];
  const args = ["n", lease, waiter, waiter, position, join];
  const [nonce, ...answer] = await redis.send("EVAL", ACQUIRE, keys.length, ...keys, ...args);
  assert.equal(nonce, "n");
  return answer;
}

const isGrant = ([result]) => result > 0;

async function release(key, waiter) {
  return (await redis.send("EVAL", RELEASE, 3, ...keysOf(key), "n", waiter, waiter))[1];
}

test("rule 11: the hint is never 0, up to the very end of lease and position lease", async () => {
  let rounds = 0;
  for (let tries = 0; rounds < 40; tries += 1) {
    assert.ok(tries < 400, `only ${rounds} rounds in which the lease did not end before the next call`);
    const key = freshKey();
    assert.ok(isGrant(await ask(key, "holder:1", { lease: 20 })));
    if (isGrant(await ask(key, "dead:1", { position: 30 }))) continue;
    rounds += 1;
    for (;;) {
      const [result] = await ask(key, "live:1", { position: 1_000 });
      if (result > 0) break;
      assert.ok(result <= -1, `a hint of ${result}`);
    }
  }
});

test("rule 11: the hint for a key that never expires says so", async () => {
  const key = freshKey();
  await redis.send("SET", key, "for ever");
  assert.deepEqual(await ask(key, "c:1"), [0, 1, 0]);
  await redis.send("DEL", key);
});

test("rule 4: a repeated acquire neither loses nor doubles a position, and the owner gets a larger fence", async () => {
  const key = freshKey();
  const [first] = await ask(key, "a:1");
  for (const _ of [1, 2, 3]) for (const waiter of ["c:1", "b:1", "d:1"]) await ask(key, waiter);
  assert.deepEqual(await redis.send("ZRANGE", derivedKey("queue", key), 0, -1), ["c:1", "b:1", "d:1"]);
  assert.ok((await ask(key, "a:1"))[0] > first);
  assert.deepEqual(await redis.send("ZRANGE", derivedKey("queue", key), 0, -1), ["c:1", "b:1", "d:1"]);
});

test("rule 4: a copy that runs late does not shorten the lease", async () => {
  const key = freshKey();
  await ask(key, "a:1", { lease: 50_000 });
  await ask(key, "a:1", { lease: 100 });
  assert.ok((await redis.send("PTTL", key)) > 40_000);
});

test("rule 9: order is arrival, not the names of clients, waiters or tokens", async () => {
  const key = freshKey();
  await ask(key, "holder:1");
  const waiters = Array.from({ length: 120 }, (_, at) => `${"zyx"[at % 3]}${1_000 - at}:${at % 7}`);
  for (const waiter of waiters) await ask(key, waiter);
  await release(key, "holder:1");
  const served = [];
  while (served.length < waiters.length) {
    // All poll, the last to arrive first.
    for (const waiter of [...waiters].reverse().filter((each) => !served.includes(each))) {
      if (!isGrant(await ask(key, waiter))) continue;
      served.push(waiter);
      await release(key, waiter);
      break;
    }
  }
  assert.deepEqual(served, waiters);
});

test("rule 10: a try never joins the queue, and purges no live waiter", async () => {
  const key = freshKey();
  await ask(key, "holder:1");
  await ask(key, "a:1");
  for (const _ of [1, 2, 3]) assert.equal(isGrant(await ask(key, "b:1", { join: 0 })), false);
  assert.deepEqual(await redis.send("ZRANGE", derivedKey("queue", key), 0, -1), ["a:1"]);
  await release(key, "holder:1");
  assert.equal(isGrant(await ask(key, "b:1", { join: 0 })), false, "the lock is free, but a:1 is first");
  assert.equal(isGrant(await ask(key, "a:1")), true);
});

test("rule 10: 250 dead heads: every call does a bounded part, and the live one is served soon", async () => {
  const key = freshKey();
  await ask(key, "holder:1");
  for (let at = 0; at < 250; at += 1) await ask(key, `dead${at}:1`, { position: 1 });
  await ask(key, "live:1");
  await release(key, "holder:1");
  let asked = 1;
  for (let answer = await ask(key, "live:1"); !isGrant(answer); answer = await ask(key, "live:1")) {
    await pause(Math.min(-answer[0], 20));
    asked += 1;
  }
  assert.ok(asked <= 4, `${asked} calls`);
});

test("rule 9: the reply tells a waiter when it has joined the queue, and only then", async () => {
  const key = freshKey();
  await redis.send("SET", key, "another", "PX", 10_000);
  const joined = async () => (await ask(key, "c:1"))[1];
  assert.equal(await joined(), 1);
  assert.equal(await joined(), 0);
  await redis.send("DEL", derivedKey("queue", key));
  assert.equal(await joined(), 1);
  assert.equal(await joined(), 0);
  await redis.send("DEL", key);
});

test("rule 9: the reply names another waiter of the same client that is the head of the queue", async () => {
  const key = freshKey();
  await redis.send("SET", key, "another", "PX", 10_000);
  const ahead = async (waiter) => (await ask(key, waiter))[2];
  assert.equal(await ahead("c:7"), 0);
  assert.equal(await ahead("c:8"), 7);
  assert.equal(await ahead("d:1"), 0);
  assert.equal(await ahead("c:7"), 0);
  await redis.send("DEL", key);
});

test("rule 10: clients that are gone are forgotten", async () => {
  const key = freshKey();
  await redis.send("SET", key, "another", "PX", 10_000);
  for (let client = 0; client < 20; client += 1) await ask(key, `gone${client}:1`, { position: 1 });
  await until(async () => {
    await ask(key, "here:1");
    return (await redis.send("ZCARD", derivedKey("places", key))) === 1;
  });
  await redis.send("DEL", key);
});

test("rule 10: the holder is not in the queue, and every key of the lock expires", async () => {
  const key = freshKey();
  await ask(key, "a:1");
  assert.equal(await redis.send("EXISTS", derivedKey("queue", key)), 0);
  await ask(key, "b:1");
  await release(key, "a:1");
  await ask(key, "b:1");
  assert.equal(await redis.send("EXISTS", derivedKey("queue", key)), 0);
  await assertAllExpire(redis);
});

test("rule 4: release frees only what the token holds, and gives up the waiter's position", async () => {
  const key = freshKey();
  await ask(key, "a:1");
  await ask(key, "b:1");
  assert.equal(await release(key, "b:1"), 0);
  assert.equal(await redis.send("GET", key), "a:1");
  assert.equal(await redis.send("ZCARD", derivedKey("queue", key)), 0);
  assert.equal(await release(key, "a:1"), 1);
});
