// renew and maxHold.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ENDED, NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, measureLateness, settles, until, untilRenewed } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";

const redis = await startRedis({ after });

test("rule 5: renewal keeps a lease for longer than it lasts, and stops with the release", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  const lock = await client.acquire(key, { ttl: 1_500, renew: true });
  // The fourth is beyond the end of the first lease.
  await untilRenewed(client, 5, async () => {
    assert.equal(lock.held, true);
    assert.equal(await redis.send("GET", `lock:${key}`), lock.token);
  });
  assert.equal(lock.signal.aborted, false);
  assert.equal(await lock.release(), "released");
  assert.equal(lock.signal.aborted, false, "a release is not a loss");
});

test("without renew the lease ends", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 200 });
  await settles(aborted(lock.signal), 5_000, "the end of the lease");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.match(lock.signal.reason.message, ENDED);
  assert.equal(lock.signal.reason.code, "LOCK_LOST");
});

test("maxHold ends a renewed lock, and not much later the key is free", async (t) => {
  const key = freshKey();
  const lateness = measureLateness(t);
  const started = performance.now();
  const lock = await openClient(t, redis).acquire(key, { ttl: 1_500, renew: true, maxHold: 1_200 });
  const granted = performance.now();
  // By itself neither the lock nor the key would end for a long time.
  await lock.extend(60_000);
  const lost = await settles(aborted(lock.signal), 10_000, "maxHold");
  assert.ok(lost - started > 1_199, `lost ${lost - started} ms after it was asked for`);
  assert.ok(lost - granted < 1_250 + lateness(), `lost after ${lost - granted} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.match(lock.signal.reason.message, /maxHold/);
  assert.equal(lock.held, false);
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { what: "a free key" });
});

test("rule 5: renewal that finds the key gone is a loss at once, not at the end of the lease", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 1_500, renew: true });
  // Renewal goes on at a third of its own ttl.
  await lock.extend(60_000);
  await redis.send("DEL", `lock:${key}`);
  await settles(aborted(lock.signal), 5_000, "the loss");
  assert.match(lock.signal.reason.message, NOT_OURS);
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "renewal never makes the key again");
});

test("rule 5: renewal survives a short silence of the server", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const client = openClient(t, proxy, { nodeTimeout: 100 });
  const lock = await client.acquire(freshKey(), { ttl: 1_800, renew: true });
  await untilRenewed(client, 1);
  proxy.hold = true;
  await until(() => proxy.held > 0, { what: "a reply to a renewal" });
  const { renewed } = client.inspect().counters;
  // Longer than an answer may take.
  await pause(200);
  assert.equal(client.inspect().counters.renewed, renewed);
  proxy.hold = false;
  // By then the lease of before the silence is over.
  await untilRenewed(client, renewed + 3);
  assert.equal(lock.held, true);
  assert.equal(lock.signal.aborted, false);
  await lock.release();
});

test("rule 6: a server that dies under a renewed lock: lost in time, by our own clock", async (t) => {
  const own = await startRedis(t);
  const lock = await openClient(t, own).acquire(freshKey(), { ttl: 1_200, renew: true });
  const lateness = measureLateness(t);
  await own.stop();
  const stopped = performance.now();
  const lost = await settles(aborted(lock.signal), 5_000, "the loss");
  // What was answered was sent before.
  assert.ok(lost - stopped < 1_200 + lateness(), `noticed after ${lost - stopped} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.match(lock.signal.reason.message, ENDED);
});

const TTL = 1_500;
const failures = {
  "an error that will not pass": async (own) => own.send("ACL", "SETUSER", "renewer", "-evalsha", "-eval"),
  silence: async (own) => own.pause(),
  "an answer that nobody understands": async (_own, proxy) => {
    proxy.onFrame = () => [Buffer.from("+nonsense\r\n")];
  },
  "a cut connection, again and again": async (_own, proxy) => {
    proxy.onFrame = () => {
      proxy.cut();
      return [];
    };
  },
};
for (const [what, fail] of Object.entries(failures)) {
  test(`rule 5: renewal that fails until the end, by ${what}: the signal comes in time, and nothing rejects unhandled`, async (t) => {
    const own = await startRedis(t);
    await own.send("ACL", "SETUSER", "renewer", "on", ">pw", "~*", "&*", "+@all");
    const proxy = await startProxy(t, { host: "127.0.0.1", port: own.port });
    const client = openClient(t, `redis://renewer:pw@127.0.0.1:${proxy.port}`, { nodeTimeout: 100 });
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    t.after(() => process.off("unhandledRejection", note));
    const lock = await client.acquire(freshKey(), { ttl: TTL, renew: true });
    await until(() => client.inspect().counters.renewed >= 1, { what: "a renewal" });
    const lateness = measureLateness(t);
    const started = performance.now();
    const left = lock.remaining;
    await fail(own, proxy);
    const failed = performance.now();
    const lost = await settles(aborted(lock.signal), 5_000, "the loss");
    // The last renewal that succeeded was sent before the trouble had begun. Timers are as late as the machine makes them.
    assert.ok(lost - failed < TTL + lateness(), `lost ${lost - failed} ms after renewal began to fail`);
    assert.ok(lost - started > left - 50, `given up after ${lost - started} ms, with ${left} ms left`);
    assert.ok(left > 0);
    assert.ok(lock.signal.reason instanceof LockLostError);
    assert.match(lock.signal.reason.message, ENDED);
    assert.equal(lock.held, false);
    assert.equal(client.inspect().counters.lost, 1);
    await new Promise(setImmediate);
    assert.deepEqual(unhandled, []);
    own.resume();
  });
}
