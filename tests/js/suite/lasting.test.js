// What has to hold for longer than one likes to wait: run side by side, on servers of their own.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { lineUp } from "../support/line.js";
import { startRedis } from "../support/redis.js";
import { assertAllExpire, inLine, scriptCalls } from "../support/server-state.js";

// The heartbeats' and the renewals' worth of time; 60 s would show no more.
const RENEWED = 20_000;
/** 50 times the lease of a place: max(12 * retry.max, 300) ms. */
const WAITED = 50 * 300;

/** A lock that is renewed for so long, or until it is lost; how long that was, and how many commands it took. */
async function renewFor(span, client, redis) {
  const lock = await client.acquire(freshKey(), { ttl: 100, renew: true });
  const before = await scriptCalls(redis);
  const started = performance.now();
  await until(() => !lock.held || performance.now() - started > span, { within: span + 5_000, every: 10 });
  return { lock, took: performance.now() - started, calls: (await scriptCalls(redis)) - before };
}

describe("lasting", { concurrency: true, timeout: 60_000 }, () => {
  test("rule 9: a live waiter that waits 50 times its place's lease keeps its place", async (t) => {
    const redis = await startRedis(t);
    const quick = { retry: { min: 5, max: 10 }, ttl: 60_000, wait: 60_000 };
    const key = freshKey();
    const holder = await openClient(t, redis, quick).acquire(key, { fair: true });
    const served = [];
    // Each with a client of its own, so that each must keep its place by its own word; and two that share one.
    const shared = openClient(t, redis, quick);
    const acquire = (name) =>
      (/shared/.test(name) ? shared : openClient(t, redis, quick)).acquire(key, { fair: true });
    const names = ["one", "shared 1", "two", "shared 2", "three"];
    const turns = await lineUp(redis, key, names, acquire, served);
    const end = performance.now() + WAITED;
    await until(
      async () => {
        assert.equal(await inLine(redis, key), names.length);
        return performance.now() > end;
      },
      { within: WAITED + 5_000, every: 250 },
    );
    turns.push(...(await lineUp(redis, key, ["newcomer"], acquire, served)));
    await holder.release();
    await settles(Promise.all(turns), 5_000, "the line");
    assert.deepEqual(served, [...names, "newcomer"]);
    await assertAllExpire(redis);
  });

  test("rule 5: a 100 ms lease renewed for 20 s costs at most twice one command per ttl/3", async (t) => {
    const redis = await startRedis(t);
    const client = openClient(t, redis);
    let { lock, took, calls } = await renewFor(RENEWED, client, redis);
    // A machine that is busy elsewhere for the tenth of a second ends a lease; it does not do so every time.
    for (let again = 0; !lock.held && again < 3; again += 1) {
      ({ lock, took, calls } = await renewFor(RENEWED / 4, client, redis));
    }
    assert.equal(lock.held, true, `lost after ${took} ms: ${lock.signal.reason}`);
    assert.equal(lock.signal.aborted, false);
    const planned = took / (100 / 3);
    assert.ok(calls <= 2 * planned, `${calls} commands, where ${planned.toFixed(0)} would do`);
    assert.ok(calls >= planned / 3, `only ${calls} commands`);
    assert.equal(await lock.release(), "released");
  });
});
