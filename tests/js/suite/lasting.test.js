// What has to hold for longer than one likes to wait: run side by side, on servers of their own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { queueUp } from "../support/queue.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire, queueLength, scriptCalls } from "../support/server-state.js";

// The heartbeats' and the renewals' worth of time; 60 s would show no more.
const RENEWED = 20_000;
const TTL = 1_500;
/** Seven position leases of max(12 * retry.max, 3000) ms. */
const WAITED = 7 * 3_000;

describe("lasting", { concurrency: true, timeout: 60_000 }, () => {
  test("rule 9: a live waiter that waits for seven position leases keeps its position", async (t) => {
    const redis = await startRedis(t);
    const quick = { retry: { min: 5, max: 10 }, ttl: 60_000, wait: 60_000 };
    const key = freshKey();
    const holder = await openClient(t, redis, quick).acquire(key, { fair: true });
    const served = [];
    // Three with clients of their own, each of which must keep its position by its own polls; and two that share a client.
    const shared = openClient(t, redis, quick);
    const acquire = (name) =>
      (/shared/.test(name) ? shared : openClient(t, redis, quick)).acquire(key, { fair: true });
    const names = ["one", "shared 1", "two", "shared 2", "three"];
    const turns = await queueUp(redis, key, names, acquire, served);
    const end = performance.now() + WAITED;
    await until(
      async () => {
        assert.equal(await queueLength(redis, key), names.length);
        return performance.now() > end;
      },
      { within: WAITED + 5_000, every: 250 },
    );
    turns.push(...(await queueUp(redis, key, ["newcomer"], acquire, served)));
    await holder.release();
    await settles(Promise.all(turns), 5_000, "the queue");
    assert.deepEqual(served, [...names, "newcomer"]);
    await assertAllExpire(redis);
  });

  test("rule 5: a lease of 1.5 s renewed for 20 s costs at most twice one command per ttl/3", async (t) => {
    const redis = await startRedis(t);
    const client = openClient(t, redis);
    const lock = await client.acquire(freshKey(), { ttl: TTL, renew: true });
    const before = await scriptCalls(redis);
    const started = performance.now();
    const passed = () => performance.now() - started;
    await until(() => !lock.held || passed() > RENEWED, { within: RENEWED + 5_000, every: 10 });
    const took = passed();
    const calls = (await scriptCalls(redis)) - before;
    assert.equal(lock.held, true, `lost after ${took} ms: ${lock.signal.reason}`);
    assert.equal(lock.signal.aborted, false);
    const planned = took / (TTL / 3);
    assert.ok(calls <= 2 * planned, `${calls} commands, where ${planned.toFixed(0)} would do`);
    assert.ok(calls >= planned / 3, `only ${calls} commands`);
    assert.equal(await lock.release(), "released");
  });
});
