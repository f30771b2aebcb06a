// Fake timers, which a test installs after the package was loaded: locks go on by the real time.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createMemoryServer } from "redlatch/memory";
import { freshKey, openClient } from "../support/clients.js";
import { startRedis } from "../support/redis.js";
import { LockTimeoutError } from "../support/redlatch.js";

const redis = await startRedis({ after });

/** What Sinon's fake timers replace, and so Jest's and Vitest's. Nothing that is replaced does anything. */
function installFakes(t) {
  const idle = () => ({ ref() {}, unref() {}, hasRef: () => false });
  const RealDate = globalThis.Date;
  class FakeDate extends RealDate {
    static now = () => 0;
  }
  const fakes = {
    setTimeout: Object.assign(idle, { clock: {} }),
    setInterval: idle,
    setImmediate: idle,
    clearTimeout() {},
    clearInterval() {},
    clearImmediate() {},
    queueMicrotask() {},
    Date: FakeDate,
  };
  const real = Object.fromEntries(Object.keys(fakes).map((name) => [name, globalThis[name]]));
  const { now } = performance;
  const uninstall = () => {
    Object.assign(globalThis, real);
    performance.now = now;
  };
  t.after(uninstall);
  Object.assign(globalThis, fakes);
  performance.now = () => 0;
  return uninstall;
}

const memory = createMemoryServer();
const servers = { "redis-server": { url: redis.url }, "a memory server": { transport: memory.transport } };
for (const [what, options] of Object.entries(servers)) {
  test(`rule 18: under fake timers, over ${what}: waits end, leases are renewed and lost, close ends`, async (t) => {
    const events = [];
    let heard = () => {};
    const observe = (event) => {
      events.push(event.type);
      heard();
    };
    const until = async (type, count) => {
      while (events.filter((each) => each === type).length < count) {
        await new Promise((resolve) => (heard = resolve));
      }
    };
    const client = openClient(t, undefined, { ...options, observe });
    const other = openClient(t, undefined, options);
    const uninstall = installFakes(t);
    try {
      const key = freshKey();
      const lock = await client.acquire(key, { ttl: 600, renew: true });
      // Not support/conditions.js, which has a timer of its own.
      const error = await other.acquire(key, { wait: 100 }).catch((reason) => reason);
      assert.ok(error instanceof LockTimeoutError);
      await until("renewed", 4);
      assert.equal(lock.held, true);
      const waiting = other.acquire(key, { wait: 60_000, ttl: 300 });
      await until("renewed", 5);
      assert.equal(await lock.release(), "released");
      const next = await waiting;
      await new Promise((resolve) => next.signal.addEventListener("abort", resolve));
      assert.equal(next.held, false);
      // The server's lease ends as well.
      assert.equal((await client.acquire(key)).held, true);
      await client.close();
    } finally {
      uninstall();
    }
  });
}
