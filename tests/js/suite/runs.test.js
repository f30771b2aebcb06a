// Runs: what several locks ask for in one turn of the event loop shares calls, and each gets its own answer.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startRedis } from "../support/redis.js";
import { neededFor } from "../support/rights.js";
import { scriptCalls } from "../support/server-state.js";

const redis = await startRedis({ after });

/** A client that is connected, and whose scripts the server has. */
async function warm(t, url = redis.url, options = {}) {
  const client = openClient(t, url, options);
  const lock = await client.acquire(freshKey());
  await lock.extend();
  await lock.release();
  return client;
}

const keys = (count) => Array.from({ length: count }, () => freshKey());

test("rule 7: locks of one turn share calls of at most 32", async (t) => {
  const client = await warm(t);
  const before = await scriptCalls(redis);
  const locks = await Promise.all(keys(100).map((key) => client.acquire(key)));
  const fences = locks.map(({ fence }) => fence);
  assert.ok(
    fences.every((fence, at) => at === 0 || fence > fences[at - 1]),
    "fences grow in the order of asking",
  );
  await Promise.all(locks.map((lock) => lock.extend()));
  assert.deepEqual(new Set(await Promise.all(locks.map((lock) => lock.release()))), new Set(["released"]));
  assert.equal((await scriptCalls(redis)) - before, 3 * 4);
});

test("rule 7: tasks that each go their own way share calls while the server is busy", async (t) => {
  const client = await warm(t);
  const before = await scriptCalls(redis);
  let pairs = 0;
  const task = async (key, at) => {
    for (let round = 0; round < 20; round += 1) {
      const lock = await client.acquire(key);
      for (let turns = (at + round) % 4; turns > 0; turns -= 1) await new Promise(setImmediate);
      assert.equal(await lock.release(), "released");
      pairs += 1;
    }
  };
  await Promise.all(keys(256).map(task));
  const calls = (await scriptCalls(redis)) - before;
  t.diagnostic(`${calls} calls for ${pairs} pairs`);
  assert.ok(calls <= pairs / 2, `${calls} calls for ${pairs} pairs: alone, each pair takes two`);
});

test("rule 7: the locks of a run that are held or no locks at all do not concern the others", async (t) => {
  const [client, other] = [await warm(t), openClient(t, redis)];
  const [free, held, list, again] = [freshKey(), freshKey("held"), freshKey("list"), freshKey()];
  await other.acquire(held);
  await redis.send("RPUSH", `lock:${list}`, "x");
  const wanted = [free, held, list, again, free].map((key) => client.tryAcquire(key));
  const results = await Promise.allSettled(wanted);
  const seen = results.map(({ value, reason }) => reason?.prefix ?? value?.held ?? null);
  assert.deepEqual(seen, [true, null, "WRONGTYPE", true, null]);
});

test("rule 7: a key that the user may not use fails alone", async (t) => {
  const name = `user-${freshKey()}`;
  const rights = [...neededFor("app:"), "resetkeys", "~app:redlatch:*", "~app:mine*"];
  await redis.send("ACL", "SETUSER", name, "on", ">pw", ...rights);
  const client = openClient(t, `redis://${name}:pw@127.0.0.1:${redis.port}`, { prefix: "app:" });
  const wanted = ["mine1", "theirs", "mine2"].map((key) => client.acquire(key));
  const results = await Promise.allSettled(wanted);
  assert.deepEqual(
    results.map(({ value, reason }) => reason?.prefix ?? value.held),
    [true, "NOPERM", true],
  );
  const released = results.map(({ value }) => value?.release());
  assert.deepEqual(await Promise.all(released), ["released", undefined, "released"]);
});

test("rule 7: a server that lost its scripts gets a whole run again", async (t) => {
  const client = await warm(t);
  await redis.send("SCRIPT", "FLUSH");
  const before = await scriptCalls(redis);
  const locks = await Promise.all(keys(20).map((key) => client.acquire(key)));
  assert.ok(locks.every((lock) => lock.held));
  assert.equal((await scriptCalls(redis)) - before, 2);
});

test("rule 4: a lock that is given up in the turn in which it is asked for leaves nothing", async (t) => {
  const client = await warm(t);
  const wanted = keys(40);
  const calls = wanted.map((key) => {
    const controller = new AbortController();
    const call = client.acquire(key, { signal: controller.signal });
    controller.abort(new Error("changed my mind"));
    return call.catch((error) => error.message);
  });
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["changed my mind"]));
  const locks = await Promise.all(wanted.map((key) => openClient(t, redis).acquire(key, { wait: 1_000 })));
  assert.ok(locks.every((lock) => lock.held));
});
