// node-redlock's API over redlatch (support/redlock-api.js): the behaviours of node-redlock's own tests, which node-redlock itself has
// to show here as well, and those of a busy machine.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { freshKey } from "../support/clients.js";
import { rejection, settles, stall, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { nobody, startRedis } from "../support/redis.js";
import * as adapter from "../support/redlock-api.js";
import { ALL } from "../support/rights.js";

const require = createRequire(new URL("../../bench/package.json", import.meta.url));
/** What tests/bench brings. */
const peer = async (name) => import(pathToFileURL(require.resolve(name)).href);
const { Redis } = await peer("ioredis");
const original = require("redlock");

const start = () => startRedis({ after }, { rights: ALL });
const [redis, ...others] = await Promise.all([start(), start(), start()]);
const three = [redis, ...others];

const LONG = 30_000;
/** A loss is reported up to so much before the end of a short lease, in ms. */
const NOTICE = 5;
/** Gives up after 0.3 s at most. */
const QUICK = { retryCount: 5, retryDelay: 40, retryJitter: 20 };

async function ioredisOf(t, { port }) {
  const options = {
    lazyConnect: true,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: null,
  };
  const client = new Redis(port, "127.0.0.1", options);
  client.on("error", () => {});
  t.after(() => client.disconnect());
  await client.connect().catch(() => {});
  return client;
}

const urlOf = (_t, { url }) => url;

/** By name: the API, and what it takes for a server. */
const implementations = {
  "node-redlock itself": { api: original, clientOf: ioredisOf },
  "over ioredis": { api: adapter, clientOf: ioredisOf },
  "over its own connections": { api: adapter, clientOf: urlOf },
};

const get = (server, key) => server.send("GET", key);
const everywhere = (key) => Promise.all(three.map((server) => get(server, key)));
/** Checks that a lock is in a server, with what is left of its duration. */
async function assertHeld(server, key, { value }, duration) {
  assert.equal(await get(server, key), value);
  const left = await server.send("PTTL", key);
  assert.ok(left <= duration && left > duration - 2_000, `${left} of ${duration} ms left`);
}

for (const [name, { api, clientOf }] of Object.entries(implementations)) {
  const { default: Redlock, ExecutionError, ResourceLockedError } = api;

  /** A Redlock of these servers, the first of the three by default. */
  async function open(t, settings = QUICK, servers = [redis]) {
    const redlock = new Redlock(await Promise.all(servers.map((each) => clientOf(t, each))), settings);
    t.after(() => redlock.quit().catch(() => {}));
    return redlock;
  }

  /** Checks that a call fails for want of a majority; resolves to the votes against it in the last attempt. */
  async function assertNoQuorum(call) {
    const error = await rejection(call);
    assert.ok(error instanceof ExecutionError, error);
    const { votesAgainst } = await error.attempts.at(-1);
    assert.ok(votesAgainst.size > 0);
    return [...votesAgainst.values()];
  }

  async function assertLocked(call) {
    for (const vote of await assertNoQuorum(call)) assert.ok(vote instanceof ResourceLockedError, vote);
  }

  test(`${name}: refuses a duration that is no integer`, async (t) => {
    const message = "Duration must be an integer value in milliseconds.";
    const redlock = await open(t);
    await assert.rejects(redlock.acquire([freshKey()], 1_000.5), { message });
    await assert.rejects(
      redlock.using([freshKey()], 1_000.5, async () => {}),
      { message },
    );
    const lock = await redlock.acquire([freshKey()], LONG);
    await assert.rejects(lock.extend(1_000.5), { message });
    await lock.release();
  });

  test(`${name}: acquires, extends and releases a single lock`, async (t) => {
    const redlock = await open(t);
    const key = freshKey();
    let lock = await redlock.acquire([key], LONG);
    assert.deepEqual(lock.resources, [key]);
    await assertHeld(redis, key, lock, LONG);
    assert.ok(Math.abs(lock.expiration - Date.now() - LONG) < 2_000);
    const first = lock;
    lock = await lock.extend(3 * LONG);
    await assertHeld(redis, key, lock, 3 * LONG);
    assert.equal(lock.value, first.value);
    assert.equal(first.expiration, 0);
    await assert.rejects(first.extend(LONG), ExecutionError);
    assert.ok(Array.isArray((await lock.release()).attempts));
    assert.equal(await get(redis, key), null);
  });

  test(`${name}: acquires, extends and releases a lock on several resources`, async (t) => {
    const redlock = await open(t);
    const keys = [freshKey(), freshKey()];
    let lock = await redlock.acquire(keys, LONG);
    for (const key of keys) await assertHeld(redis, key, lock, LONG);
    lock = await redlock.extend(lock, 3 * LONG);
    for (const key of keys) await assertHeld(redis, key, lock, 3 * LONG);
    await redlock.release(lock);
    for (const key of keys) assert.equal(await get(redis, key), null);
  });

  test(`${name}: fails when the server is unreachable`, async (t) => {
    const redlock = await open(t, QUICK, [nobody[0]]);
    const errors = [];
    redlock.on("error", (error) => errors.push(error));
    for (const vote of await assertNoQuorum(redlock.acquire([freshKey()], LONG))) {
      assert.ok(vote instanceof Error && !(vote instanceof ResourceLockedError), vote);
    }
    assert.ok(errors.length > 0);
  });

  test(`${name}: locks expire`, async (t) => {
    const redlock = await open(t);
    const key = freshKey();
    const lock = await redlock.acquire([key], 200);
    await assertHeld(redis, key, lock, 200);
    const [next] = await Promise.all([
      redlock.acquire([key], LONG, { retryCount: 50 }),
      until(() => lock.expiration < Date.now()),
    ]);
    assert.notEqual(next.value, lock.value);
    await assert.rejects(lock.extend(LONG), ExecutionError);
    await assertLocked(lock.release());
    await assertHeld(redis, key, next, LONG);
    await next.release();
  });

  test(`${name}: a lock excludes others, who are told by an event, and wait for it`, async (t) => {
    const redlock = await open(t);
    const key = freshKey();
    const errors = [];
    redlock.on("error", (error) => errors.push(error));
    const lock = await redlock.acquire([key], LONG);
    assert.equal(errors.length, 0);
    await assertLocked(redlock.acquire([key], LONG));
    await assertLocked(redlock.acquire([key], LONG, { retryCount: 0 }));
    assert.ok(errors.length >= 2 && errors.every((error) => error instanceof ResourceLockedError), errors);
    await assertHeld(redis, key, lock, LONG);
    const waiting = redlock.acquire([key], LONG, { retryCount: -1 });
    await until(() => errors.length >= 3);
    await lock.release();
    await (await settles(waiting)).release();
    assert.equal(await get(redis, key), null);
  });

  test(`${name}: locks on overlapping resources exclude each other`, async (t) => {
    const redlock = await open(t);
    const [a, b, c] = [freshKey(), freshKey(), freshKey()];
    const lock = await redlock.acquire([a, b], LONG);
    await assertLocked(redlock.acquire([b, c], LONG));
    for (const key of [a, b]) await assertHeld(redis, key, lock, LONG);
    assert.equal(await get(redis, c), null);
    await lock.release();
    await (await redlock.acquire([c, b, a], LONG)).release();
    for (const key of [a, b, c]) assert.equal(await get(redis, key), null);
  });

  /** Runs `routines` under a lock of a second, each for longer than that. */
  async function assertExtended(redlock, routines) {
    const key = freshKey();
    let inside = 0;
    const routine = async (signal) => {
      inside += 1;
      const value = await get(redis, key);
      assert.equal(typeof value, "string");
      await pause(1_500);
      assert.equal(signal.aborted, false);
      assert.equal(signal.error, undefined);
      assert.equal(await get(redis, key), value);
      assert.equal(inside, 1);
      inside -= 1;
      return value;
    };
    const settings = { automaticExtensionThreshold: 400 };
    const all = Array.from({ length: routines }, () => redlock.using([key], 1_000, settings, routine));
    assert.equal(new Set(await Promise.all(all)).size, routines);
    assert.equal(await get(redis, key), null);
  }

  test(`${name}: using extends the lock while its routine runs`, async (t) => {
    await assertExtended(await open(t), 1);
  });

  test(`${name}: using passes on the routine's error, and refuses a short duration`, async (t) => {
    const redlock = await open(t);
    const key = freshKey();
    const error = new Error("the routine's");
    assert.equal(await rejection(redlock.using([key], 1_000, () => Promise.reject(error))), error);
    assert.equal(await get(redis, key), null);
    await assert.rejects(
      redlock.using([key], 550, async () => assert.fail("it runs")),
      /automaticExtensionThreshold/,
    );
  });

  test(`${name}: using aborts its signal when the lock is lost`, async (t) => {
    const redlock = await open(t, { ...QUICK, automaticExtensionThreshold: 700 });
    const key = freshKey();
    const using = redlock.using([key], 1_000, async (signal) => {
      await redis.send("SET", key, "somebody else's", "PX", LONG);
      await until(() => signal.aborted);
      assert.ok(signal.error instanceof Error);
    });
    assert.ok((await rejection(using)) instanceof ExecutionError);
    assert.equal(await get(redis, key), "somebody else's");
  });

  test(`${name}: three servers: acquires, extends and releases`, async (t) => {
    const redlock = await open(t, QUICK, three);
    const key = freshKey();
    let lock = await redlock.acquire([key], LONG);
    await until(async () => (await everywhere(key)).every((value) => value === lock.value));
    for (const server of three) await assertHeld(server, key, lock, LONG);
    lock = await lock.extend(3 * LONG);
    const left = () => Promise.all(three.map((server) => server.send("PTTL", key)));
    await until(async () => (await left()).every((millis) => millis > LONG));
    for (const server of three) await assertHeld(server, key, lock, 3 * LONG);
    await lock.release();
    await until(async () => (await everywhere(key)).every((value) => value === null));
  });

  test(`${name}: three servers: succeeds when another holds it on a minority`, async (t) => {
    const redlock = await open(t, QUICK, three);
    const key = freshKey();
    await three[2].send("SET", key, "other");
    let lock = await redlock.acquire([key], LONG);
    lock = await lock.extend(3 * LONG);
    for (const server of three.slice(0, 2)) await assertHeld(server, key, lock, 3 * LONG);
    await lock.release();
    await until(async () => (await get(three[0], key)) === null && (await get(three[1], key)) === null);
    assert.equal(await get(three[2], key), "other");
    assert.equal(await three[2].send("PTTL", key), -1);
  });

  test(`${name}: three servers: fails when others hold it on a majority, and leaves nothing`, async (t) => {
    const redlock = await open(t, QUICK, three);
    const key = freshKey();
    await three[1].send("SET", key, "other 1");
    await three[2].send("SET", key, "other 2");
    await assertLocked(redlock.acquire([key], LONG));
    const expected = JSON.stringify([null, "other 1", "other 2"]);
    await until(async () => JSON.stringify(await everywhere(key)) === expected);
  });

  test(`${name}: three servers: a minority that is down changes nothing, a majority does`, async (t) => {
    const key = freshKey();
    const redlock = await open(t, QUICK, [...three.slice(0, 2), nobody[0]]);
    const lock = await redlock.acquire([key], LONG);
    await (await lock.extend(LONG)).release();
    assert.equal(await redlock.using([key], 1_000, async () => "result"), "result");
    const poor = await open(t, QUICK, [redis, ...nobody.slice(0, 2)]);
    await assertNoQuorum(poor.acquire([key], LONG));
    await until(async () => (await get(redis, key)) === null);
  });

  // The version that is on npm counts a lock's duration from before the wait for it, and extends a lost lock for ever.
  if (api === original) continue;

  test(`${name}: using excludes others`, async (t) => {
    await assertExtended(await open(t, { retryCount: 50 }), 2);
  });

  for (const servers of [[redis], three]) {
    test(`rule 16: ${name}: on a busy machine, extending 200 ms on ${servers.length} servers does not fail for impatience`, {
      timeout: 60_000,
    }, async (t) => {
      startWorker(t, new URL("../workers/burner.js", import.meta.url));
      const redlock = await open(t, { ...QUICK, retryCount: -1 }, servers);
      const key = freshKey();
      let lock = null;
      let extended = 0;
      let late = 0;
      while (extended < 25) {
        lock ??= await redlock.acquire([key], 200);
        const { expiration } = lock;
        const extending = lock.extend(200).catch((error) => {
          assert.ok(
            Date.now() >= expiration - NOTICE,
            `${expiration - Date.now()} ms before its end: ${error.stack}`,
          );
          return null;
        });
        // Before the question is written, while the answer comes, and before it is read.
        await Promise.resolve();
        for (const longest of [20, 120, 20]) {
          stall((extended * 37) % longest);
          await new Promise((resolve) => setImmediate(resolve));
        }
        lock = await extending;
        if (lock === null) late += 1;
        else extended += 1;
        assert.ok(late < 100, "the machine is so busy that leases end");
      }
      await lock.release().catch(() => {});
    });
  }
}
