// What locks leave on the server once they are over: one fence counter, however many there were, and of whatever kind.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire } from "../support/server-state.js";

const redis = await startRedis({ after });
const COUNTER = "lock:redlatch:fence";

/** Locks and releases that many names, `at once` at a time. */
async function lockNames(client, count, { atOnce = 2_000, ...options } = {}) {
  const base = freshKey();
  for (let from = 0; from < count; from += atOnce) {
    const names = Array.from({ length: Math.min(atOnce, count - from) }, (_, at) => `${base}-${from + at}`);
    await Promise.all(names.map(async (name) => (await client.acquire(name, options)).release()));
  }
}

// With 100 000 names it is the same, but takes 5 s, and longer on a busy machine.
test("rule 13: 20 000 names that were locked and released leave one key", { timeout: 120_000 }, async (t) => {
  await redis.send("FLUSHALL");
  const client = openClient(t, redis, { nodeTimeout: 10_000, wait: 60_000 });
  await lockNames(client, 20_000);
  assert.deepEqual(await redis.send("KEYS", "*"), [COUNTER]);
  assert.ok((await redis.send("PTTL", COUNTER)) > 3_500_000);
});

const kinds = {
  plain: {},
  fair: { fair: true },
  "application tokens": { token: "job 17" },
  "fair, with application tokens": { fair: true, token: "job 17" },
  renewed: { renew: true },
};
for (const [kind, options] of Object.entries(kinds)) {
  test(`rule 13: nothing but the fence counter is left by locks that were not waited for: ${kind}`, async (t) => {
    await redis.send("FLUSHALL");
    const client = openClient(t, redis);
    await lockNames(client, 200, options);
    const names = [freshKey(), freshKey(), freshKey()];
    const lock = await client.acquire(names, options);
    assert.equal(await client.tryAcquire(names[1], { ...options, token: undefined }), null);
    await lock.extend();
    assert.equal(await lock.verify(), true);
    const heir = await openClient(t, redis).adopt(JSON.parse(JSON.stringify(lock)));
    assert.equal(await heir.release(), "released");
    assert.deepEqual(await redis.send("KEYS", "*"), [COUNTER]);
  });

  test(`rule 13: nothing but the fence counter is left by locks that were waited for: ${kind}`, async (t) => {
    await redis.send("FLUSHALL");
    const clients = [openClient(t, redis), openClient(t, redis)];
    for (const names of [[freshKey()], [freshKey(), freshKey()]]) {
      const holder = await clients[0].acquire(names, options);
      // Each waits with a token of its own: with one that their client holds, they would enter the lock again.
      const token = (at) => (options.token === undefined ? undefined : `${options.token} ${at}`);
      const turns = [1, 2, 3, 4].map((at) =>
        clients[at % 2].using(names, { ...options, token: token(at) }, () => {}),
      );
      const late = clients[0].acquire(names, { ...options, token: token(5), wait: 50 });
      const controller = new AbortController();
      const gone = clients[1].acquire(names, { ...options, token: token(6), signal: controller.signal });
      await until(() => clients[1].inspect().waiters.length === 3);
      controller.abort(new Error("changed my mind"));
      await assert.rejects(gone, /changed my mind/);
      await assert.rejects(late, { code: "LOCK_TIMEOUT" });
      await holder.release();
      await settles(Promise.all(turns), 10_000);
    }
    await assertAllExpire(redis);
    // A client may still clean up after a waiter that gave up.
    const left = () => redis.send("KEYS", "*");
    await until(async () => (await left()).length === 1, { within: 2_000 }).catch(() => {});
    assert.deepEqual(await left(), [COUNTER]);
  });
}

test("rule 13: with a Redlock nothing at all is left", async (t) => {
  const servers = [await startRedis(t), await startRedis(t), await startRedis(t)];
  const client = openClient(t, servers);
  await lockNames(client, 200, { atOnce: 50 });
  for (const server of servers) {
    await until(async () => (await server.send("DBSIZE")) === 0, { what: "an empty server" });
  }
});
