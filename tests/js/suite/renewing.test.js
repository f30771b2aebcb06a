// Renewal through failures of the server.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { ENDED } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, measureLateness, settles, until, untilRenewed } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";

const redis = await startRedis({ after });

test("rule 5: renewal survives a short silence of the server", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const client = openClient(t, proxy, { nodeTimeout: 500 });
  const lock = await client.acquire(freshKey(), { ttl: 4_500, renew: true });
  await untilRenewed(client, 1);
  proxy.hold = true;
  await until(() => proxy.held > 0, { what: "a reply to a renewal" });
  const { renewed } = client.inspect().counters;
  // Longer than an answer may take.
  await pause(700);
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
    const client = openClient(t, `redis://renewer:pw@127.0.0.1:${proxy.port}`, { nodeTimeout: 400 });
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
