// The holder learns of the end of its lease by its own clock, whatever the server, the timers or the wall clock do.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, measureLateness, settles, stall, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";

const redis = await startRedis({ after });
const TTL = 800;

/** The signal came before validity ended, but for what timers were late. */
function assertInTime({ lost, paused, left, lateness, renew }) {
  assert.ok(left <= TTL - TTL / 100 - 2, `${left} ms of ${TTL} left`);
  // What a server still answered to a renewal was sent before it was stopped.
  const longest = renew ? TTL : left;
  assert.ok(lost - paused < longest + lateness, `${lost - paused} ms, with timers ${lateness} ms late`);
}

for (const renew of [false, true]) {
  test(`rule 6: a server stopped for longer than the lease: lost in time (renew: ${renew})`, async (t) => {
    const own = await startRedis(t);
    const key = freshKey();
    const client = openClient(t, own);
    await (await client.acquire(freshKey())).release();
    const lateness = measureLateness(t);
    const lock = await client.acquire(key, { ttl: TTL, renew });
    own.pause();
    const left = lock.remaining;
    const paused = performance.now();
    let heldUntil = paused;
    const watch = setInterval(() => {
      const now = performance.now();
      if (lock.held) heldUntil = now;
    }, 1);
    const lost = await settles(aborted(lock.signal), 5_000, "the loss");
    clearInterval(watch);
    assertInTime({ lost, paused, left, lateness: lateness(), renew });
    assert.ok(heldUntil < paused + TTL, `held ${heldUntil - paused} ms after the server stopped`);
    assert.ok(lock.signal.reason instanceof LockLostError);
    assert.equal(typeof lock.signal.reason.since, "number");
    assert.equal(lock.held, false);
    assert.equal(lock.remaining, 0);

    own.resume();
    const next = await openClient(t, own, { retry: { min: 5, max: 20 } }).acquire(key, { wait: 10_000 });
    assert.equal(lock.held, false, "lost is lost for ever");
    assert.notEqual(await lock.release(), "released");
    assert.equal(await own.send("GET", `lock:${key}`), next.token, "the old holder's release harms nobody");
    await next.release();
  });
}

for (const renew of [false, true]) {
  test(`rule 6: the signal comes in time though nobody looks at the lock (renew: ${renew})`, async (t) => {
    const own = await startRedis(t);
    const client = openClient(t, own);
    await (await client.acquire(freshKey())).release();
    const lateness = measureLateness(t);
    const lock = await client.acquire(freshKey(), { ttl: TTL, renew });
    own.pause();
    const left = lock.remaining;
    const paused = performance.now();
    // From here on nothing but the client's own timer can notice.
    const lost = await settles(aborted(lock.signal), 5_000, "the loss");
    assertInTime({ lost, paused, left, lateness: lateness(), renew });
    assert.ok(lock.signal.reason instanceof LockLostError);
  });
}

test("rule 6: `held` is false after a stalled event loop although no timer ran", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 1_000 });
  assert.equal(lock.held, true);
  stall(1_000);
  assert.equal(lock.held, false);
  assert.equal(lock.remaining, 0);
  await settles(aborted(lock.signal), 5_000, "the signal after the stall");
  assert.ok(lock.signal.reason instanceof LockLostError);
});

test("rule 1: a lock is never handed out with nothing left: the event loop stalls while the grant is on its way", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  await (await client.acquire(freshKey())).release();
  const acquiring = client.acquire(key, { ttl: 1_000, wait: 10_000 });
  // The command leaves in a microtask; the reply waits in the socket until the stall is over.
  await Promise.resolve();
  const { attempts } = client.inspect().counters;
  stall(1_000);
  const lock = await acquiring;
  assert.ok(client.inspect().counters.attempts > attempts, "the first grant came too late");
  assert.equal(lock.held, true);
  assert.ok(lock.remaining > 0);
  await lock.release();
});

test("rule 6: a renewed lock that was stalled beyond its lease is lost and stays lost", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 200, renew: true });
  stall(250);
  await settles(aborted(lock.signal), 5_000, "the signal after the stall");
  assert.equal(lock.held, false);
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { what: "the end of the key" });
  assert.equal(lock.held, false);
});

/** The runtime's clocks and timers; `leap(ms)` is time that passes at once. */
function clockThatLeaps() {
  let ahead = 0;
  return {
    now: () => performance.now() + ahead,
    wall: () => Date.now() + ahead,
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (handle) => clearTimeout(handle),
    leap: (ms) => {
      ahead += ms;
    },
  };
}

test("the wall clock counts too: a machine that slept has no lock left", async (t) => {
  let slept = 0;
  const clock = {
    now: () => performance.now(),
    wall: () => Date.now() + slept,
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (handle) => clearTimeout(handle),
  };
  const lock = await openClient(t, redis, { clock }).acquire(freshKey(), { ttl: 5_000 });
  assert.equal(lock.held, true);
  slept = 6_000;
  assert.equal(lock.held, false);
  assert.equal(lock.remaining, 0);
});

test("rule 1: a process that is stopped between a call and its drain hears of no grant that has ended", async (t) => {
  const clock = clockThatLeaps();
  const client = openClient(t, redis, { clock });
  const [key, options] = [freshKey(), { ttl: 5_000, token: "mine", wait: 0 }];
  const lock = await client.acquire(key, options);
  // It is granted without a question to the server: the lock is ours.
  const again = client.acquire(key, options);
  clock.leap(6_000);
  await assert.rejects(again, { code: "LOCK_LOST" });
  assert.equal(lock.held, false);
});

test("calls of one turn count from the first of them, and those of the next turn from their own time", async (t) => {
  const clock = clockThatLeaps();
  const client = openClient(t, redis, { clock });
  await (await client.acquire(freshKey())).release();
  const first = client.acquire(freshKey(), { ttl: 60_000 });
  clock.leap(10_000);
  const [early] = await Promise.all([client.acquire(freshKey(), { ttl: 60_000 }), first]);
  assert.ok(early.remaining < 50_000, "validity is never counted from a later time");
  const next = await client.acquire(freshKey(), { ttl: 60_000 });
  assert.ok(next.remaining > 50_000);
});

test("rule 6: a process that is stopped while a grant is reported still learns of the loss", async (t) => {
  const seen = new Set();
  // An observer is told of the grant before the one who asked for the lock: the clocks are read again in between.
  const cases = [{}, { observe() {} }].flatMap((options) =>
    Array.from({ length: 12 }, (_, reading) => ({ options, reading })),
  );
  for (const { options, reading } of cases) {
    let readings = Number.NEGATIVE_INFINITY;
    let stopped = 0;
    const clock = {
      now: () => {
        if (readings === reading) stopped = 3_000;
        readings += 1;
        return performance.now() + stopped;
      },
      wall: () => Date.now(),
      setTimeout: (fn, ms) => setTimeout(fn, ms),
      clearTimeout: (handle) => clearTimeout(handle),
    };
    const client = openClient(t, redis, { clock, ...options });
    await (await client.acquire(freshKey())).release();
    readings = 0;
    const lock = await client.acquire(freshKey(), { ttl: 1_000, wait: 0 }).catch((error) => {
      assert.match(error.code, /^LOCK_(TIMEOUT|CONNECTION)$/);
    });
    const first = lock?.signal.aborted ? "lost at first sight" : "not lost yet";
    if (lock === undefined || lock.remaining > 0) continue;
    await settles(aborted(lock.signal), 5_000, "the signal");
    assert.equal(lock.held, false);
    seen.add(first);
  }
  // Both are possible: who takes a lock looks at its signal before it listens.
  assert.deepEqual([...seen].sort(), ["lost at first sight", "not lost yet"]);
});

test("rule 6: a loss is reported once", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 1_000 });
  let told = 0;
  lock.signal.addEventListener("abort", () => (told += 1));
  await until(() => told > 0);
  const { reason } = lock.signal;
  await lock.release();
  await lock.verify().catch(() => {});
  assert.equal(told, 1);
  assert.equal(lock.signal.reason, reason);
});
