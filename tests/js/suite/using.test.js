// using(): acquires, renews while the body runs, releases however it ends.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ENDED } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, untilRenewed } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { LockLostError, LockTimeoutError } from "../support/redlatch.js";

const redis = await startRedis({ after });
const exists = async (key) => (await redis.send("EXISTS", `lock:${key}`)) === 1;

test("resolves to what the body returns, and has released by then", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const result = await client.using(key, async (lock) => {
    assert.equal(lock.held, true);
    assert.equal(await exists(key), true);
    return { fence: lock.fence };
  });
  assert.equal(typeof result.fence, "bigint");
  assert.equal(await exists(key), false);
  assert.equal(
    await client.using(key, { ttl: 1_000 }, () => 5),
    5,
    "with options, and a body that is not async",
  );
  assert.equal(await client.using([key, `${key}-2`], ({ keys }) => keys.length), 2);
});

test("renews by default: a body longer than the lease keeps the lock", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  await client.using(key, { ttl: 1_500 }, async (lock) => {
    await untilRenewed(client, 4, async () => {
      assert.equal(await exists(key), true);
      assert.equal(lock.held, true);
    });
  });
  assert.equal(await exists(key), false);
});

test("renew: false is respected, and the body hears of the loss", async (t) => {
  const reason = await openClient(t, redis).using(freshKey(), { ttl: 150, renew: false }, async (lock) => {
    await settles(aborted(lock.signal), 5_000, "the loss");
    return lock.signal.reason;
  });
  assert.ok(reason instanceof LockLostError);
  assert.match(reason.message, ENDED);
});

test("the body's error comes through, thrown or rejected, and the lock is released", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const wrong = new Error("the work failed");
  assert.equal(
    await rejection(
      client.using(key, async () => {
        throw wrong;
      }),
    ),
    wrong,
  );
  assert.equal(await exists(key), false);
  assert.equal(
    await rejection(
      client.using(key, () => {
        throw wrong;
      }),
    ),
    wrong,
  );
  assert.equal(await exists(key), false);
});

test("the body's error and the body's result win over a failing release", async (t) => {
  const own = await startRedis(t);
  const client = openClient(t, own, { nodeTimeout: 100 });
  const wrong = new Error("the work failed");
  const error = await rejection(
    client.using(freshKey(), { ttl: 1_000 }, async () => {
      await own.stop();
      throw wrong;
    }),
    15_000,
  );
  assert.equal(error, wrong);
  const again = await startRedis(t);
  const result = await settles(
    openClient(t, again, { nodeTimeout: 100 }).using(freshKey(), { ttl: 1_000 }, async () => {
      await again.stop();
      return "done";
    }),
    15_000,
  );
  assert.equal(result, "done");
});

test("a lock that cannot be had: the body does not run", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key);
  const error = await rejection(client.using(key, { wait: 1_000 }, () => assert.fail("the body ran")));
  assert.ok(error instanceof LockTimeoutError);
  await lock.release();
});

test("bodies of one key never overlap", async (t) => {
  const clients = Array.from({ length: 4 }, () => openClient(t, redis, { retry: { min: 1, max: 5 } }));
  const key = freshKey();
  let inside = 0;
  let runs = 0;
  await Promise.all(
    Array.from({ length: 24 }, (_, at) =>
      clients[at % 4].using(key, async () => {
        inside += 1;
        assert.equal(inside, 1);
        await pause(1);
        inside -= 1;
        runs += 1;
      }),
    ),
  );
  assert.equal(runs, 24);
});

test("a body that releases by itself is no error", async (t) => {
  const key = freshKey();
  assert.equal(await openClient(t, redis).using(key, async (lock) => lock.release()), "released");
  assert.equal(await exists(key), false);
});
