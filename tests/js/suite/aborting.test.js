// Abort at any moment settles once with signal.reason and leaves no key behind.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { freePort, startRedis } from "../support/redis.js";
import { tcpTransport } from "../support/transport.js";

const redis = await startRedis({ after });

/** ms: an abort settles the call without an answer from any server, each of which may take 2 s. */
const AT_ONCE = 1_500;
/** The lease is half a minute: a key that is gone within seconds was cleaned up and did not expire. */
const TTL = 30_000;

const gone = (key, within = 4_000) =>
  until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { within, what: "the clean-up" });

/** Settles `acquiring` after its abort: rejected with the reason, or granted just before it, and then released. */
async function settleAborted(acquiring, reason) {
  const [outcome] = await settles(Promise.allSettled([acquiring]), 3_000, "the aborted acquire");
  if (outcome.status === "rejected") {
    assert.equal(outcome.reason, reason);
    return "aborted";
  }
  assert.equal(outcome.value.held, true);
  assert.equal(await outcome.value.release(), "released");
  return "granted";
}

test("before the call: rejects without sending a byte", async (t) => {
  const transport = tcpTransport(redis.port);
  const client = openClient(t, redis, { transport });
  for (const verb of ["acquire", "tryAcquire"]) {
    const reason = { why: "any value is a reason" };
    assert.equal(await rejection(client[verb](freshKey(), { signal: AbortSignal.abort(reason) })), reason);
  }
  assert.equal(
    await rejection(
      client.using(freshKey(), { signal: AbortSignal.abort("no") }, () => assert.fail("the body ran")),
    ),
    "no",
  );
  assert.equal(transport.connections, 0);
});

test("without a reason it is the platform's AbortError", async (t) => {
  const error = await rejection(openClient(t, redis).acquire(freshKey(), { signal: AbortSignal.abort() }));
  assert.equal(error.name, "AbortError");
});

test("during the dial to a server that is silent", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  proxy.deaf = true;
  const controller = new AbortController();
  const acquiring = openClient(t, proxy).acquire(freshKey(), { signal: controller.signal, ttl: TTL });
  await until(() => proxy.connections > 0, { what: "the dial" });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.equal(await rejection(acquiring, AT_ONCE), reason);
});

test("while nobody listens at all", async (t) => {
  const controller = new AbortController();
  const client = openClient(t, `redis://127.0.0.1:${await freePort()}`);
  const acquiring = client.acquire(freshKey(), { signal: controller.signal });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.equal(await rejection(acquiring, AT_ONCE), reason);
});

test("in flight: the key that the server has taken is freed within a round trip", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const client = openClient(t, proxy);
  await (await client.acquire(freshKey())).release();
  const key = freshKey();
  const controller = new AbortController();
  proxy.hold = true;
  const acquiring = client.acquire(key, { signal: controller.signal, ttl: TTL });
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 1, {
    what: "the grant on the server",
  });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.equal(await rejection(acquiring, AT_ONCE), reason);
  proxy.hold = false;
  await gone(key);
});

test("while waiting for a holder: the holder is left alone and the key stays free afterwards", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const controller = new AbortController();
  const waiting = openClient(t, redis, { retry: { min: 1, max: 5 } }).acquire(key, {
    signal: controller.signal,
    ttl: TTL,
    wait: Infinity,
  });
  const calls = async () =>
    Number(/cmdstat_evalsha:calls=(\d+)/.exec(await redis.send("INFO", "commandstats"))?.[1] ?? 0);
  const before = await calls();
  await until(async () => (await calls()) > before + 3, { what: "some polls" });
  const reason = new Error("changed my mind");
  controller.abort(reason);
  assert.equal(await rejection(waiting, AT_ONCE), reason);
  assert.equal(await redis.send("GET", `lock:${key}`), holder.token);
  await holder.release();
  await gone(key);
});

test("after every number of turns of the event loop, on a new connection and on a live one", async (t) => {
  const warm = openClient(t, redis);
  await (await warm.acquire(freshKey())).release();
  const seen = { aborted: 0, granted: 0 };
  const once = async (client, turns) => {
    const key = freshKey();
    const controller = new AbortController();
    const acquiring = client.acquire(key, { signal: controller.signal, ttl: TTL });
    acquiring.catch(() => {});
    for (let turn = 0; turn < turns; turn += 1) await new Promise(setImmediate);
    const reason = new Error(`after ${turns} turns`);
    controller.abort(reason);
    seen[await settleAborted(acquiring, reason)] += 1;
    await gone(key);
  };
  // A turn takes microseconds in one runtime and a wait for I/O in another: as many as it takes to have the grant first.
  for (let turns = 0; turns < 40 || seen.granted < 10; turns += 1 + (turns >> 4)) {
    assert.ok(turns < 1e6, "the grant never comes first");
    await once(warm, turns);
    const cold = openClient(t, redis);
    await once(cold, turns);
    await cold.close();
  }
  assert.ok(
    seen.aborted > 0 && seen.granted > 0,
    `both ends of the race were reached: ${JSON.stringify(seen)}`,
  );
});

for (const moment of ["just before", "just after"]) {
  test(`${moment} the bytes of the grant are read`, async (t) => {
    let controller = null;
    const reason = new Error("changed my mind");
    const transport = tcpTransport(redis.port, (chunk, hand) => {
      if (moment === "just before") controller?.abort(reason);
      hand(chunk);
      controller?.abort(reason);
    });
    const client = openClient(t, redis, { transport });
    await (await client.acquire(freshKey())).release();
    const key = freshKey();
    controller = new AbortController();
    const acquiring = client.acquire(key, { signal: controller.signal, ttl: TTL });
    const outcome = await settleAborted(acquiring, reason);
    if (moment === "just before") assert.equal(outcome, "aborted");
    controller = null;
    await gone(key);
  });
}

test("an abort after the grant changes nothing", async (t) => {
  const controller = new AbortController();
  const lock = await openClient(t, redis).acquire(freshKey(), { signal: controller.signal });
  controller.abort(new Error("too late"));
  assert.equal(lock.held, true);
  assert.equal(lock.signal.aborted, false);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
});

test("the signal keeps no listener of ours once the promise has settled", async (t) => {
  const { getEventListeners } = await import("node:events");
  const controller = new AbortController();
  const client = openClient(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key, { signal: controller.signal });
  assert.equal(await client.tryAcquire(key, { signal: controller.signal }), null);
  assert.equal(getEventListeners(controller.signal, "abort").length, 0);
  await lock.release();
});
