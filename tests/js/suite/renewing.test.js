// renew and maxHold.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, measureLateness, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";

const redis = await startRedis({ after });

test("rule 5: renewal keeps a lease of 300 ms for 2 s, and stops with the release", async (t) => {
  const key = freshKey();
  const client = openClient(t, redis);
  const lock = await client.acquire(key, { ttl: 300, renew: true });
  const end = performance.now() + 2_000;
  await until(
    async () => {
      assert.equal(lock.held, true);
      assert.equal(await redis.send("GET", `lock:${key}`), lock.token);
      return performance.now() > end;
    },
    { every: 20 },
  );
  assert.equal(lock.signal.aborted, false);
  assert.equal(await lock.release(), "released");
  assert.equal(lock.signal.aborted, false, "a release is not a loss");
});

test("without renew the lease ends", async (t) => {
  const lock = await openClient(t, redis).acquire(freshKey(), { ttl: 200 });
  await settles(aborted(lock.signal), 1_000, "the end of the lease");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lock.signal.reason.code, "LOCK_LOST");
});

test("maxHold ends a renewed lock, and not much later the key is free", async (t) => {
  const key = freshKey();
  const started = performance.now();
  const lock = await openClient(t, redis).acquire(key, { ttl: 300, renew: true, maxHold: 800 });
  const lost = await settles(aborted(lock.signal), 3_000, "maxHold");
  assert.ok(lost - started >= 750 && lost - started < 1_100, `lost after ${lost - started} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lock.held, false);
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { within: 1_000 });
});

test("rule 5: renewal that finds the key gone is a loss at once, not at the end of the lease", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 1_500, renew: true });
  const started = performance.now();
  await redis.send("DEL", `lock:${key}`);
  const lost = await settles(aborted(lock.signal), 3_000, "the loss");
  assert.ok(lost - started < 1_000, `noticed after ${lost - started} ms`);
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "renewal never makes the key again");
});

test("rule 5: renewal survives a short silence of the server", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 60 }).acquire(freshKey(), { ttl: 900, renew: true });
  const started = performance.now();
  await until(() => performance.now() - started > 250);
  proxy.hold = true;
  await until(() => performance.now() - started > 600);
  proxy.hold = false;
  await until(() => performance.now() - started > 1_800);
  assert.equal(lock.held, true);
  assert.equal(lock.signal.aborted, false);
  await lock.release();
});

test("rule 6: a server that dies under a renewed lock: lost in time, by our own clock", async (t) => {
  const own = await startRedis(t);
  const lock = await openClient(t, own).acquire(freshKey(), { ttl: 500, renew: true });
  await own.stop();
  const stopped = performance.now();
  const lost = await settles(aborted(lock.signal), 2_000, "the loss");
  assert.ok(lost - stopped < 600, `noticed after ${lost - stopped} ms`);
  assert.ok(lock.signal.reason instanceof LockLostError);
});

const TTL = 400;
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
    const client = openClient(t, `redis://renewer:pw@127.0.0.1:${proxy.port}`, { nodeTimeout: 50 });
    const unhandled = [];
    const note = (reason) => unhandled.push(reason);
    process.on("unhandledRejection", note);
    t.after(() => process.off("unhandledRejection", note));
    const lock = await client.acquire(freshKey(), { ttl: TTL, renew: true });
    await until(() => client.inspect().counters.renewed >= 2, { what: "two renewals" });
    const started = performance.now();
    const lateness = measureLateness(t);
    await fail(own, proxy);
    const lost = await settles(aborted(lock.signal), 2_000, "the loss");
    // The last renewal that succeeded was sent before the trouble began, or just then. Timers are as late as the machine makes them.
    assert.ok(lost - started < TTL + lateness(), `lost ${lost - started} ms after renewal began to fail`);
    assert.ok(lost - started > TTL / 3, `given up after ${lost - started} ms, with validity left`);
    assert.ok(lock.signal.reason instanceof LockLostError);
    assert.equal(lock.held, false);
    assert.equal(client.inspect().counters.lost, 1);
    await new Promise(setImmediate);
    assert.deepEqual(unhandled, []);
    own.resume();
  });
}
