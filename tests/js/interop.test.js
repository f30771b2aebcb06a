// A lock with prefix "" excludes other libraries on the same key, and they exclude it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { freshKey, openClient } from "./support/clients.js";
import { rejection, settles, until } from "./support/conditions.js";
import { startRedis } from "./support/redis.js";
import { ALL } from "./support/rights.js";

const require = createRequire(new URL("../bench/package.json", import.meta.url));
/** A library that tests/bench brings: `make` installs it there, or `npm ci` in that folder. */
const peer = async (name) => import(pathToFileURL(require.resolve(name)).href);

const redis = await startRedis({ after }, { rights: ALL });

async function connectIoredis(t) {
  const { Redis } = await peer("ioredis");
  const connection = new Redis(redis.port, "127.0.0.1", { lazyConnect: true });
  await connection.connect();
  t.after(() => connection.disconnect());
  return connection;
}

/** Per library: its key for a name, and a way to take a lock that gives a function to release it, or null. */
const libraries = {
  async "node-redlock"(t) {
    const { default: Redlock } = await peer("redlock");
    const redlock = new (Redlock.default ?? Redlock)([await connectIoredis(t)], { retryCount: 0 });
    redlock.on("error", () => {});
    return {
      keyOf: (name) => name,
      async take(name) {
        try {
          const lock = await redlock.acquire([name], 10_000);
          return () => lock.release();
        } catch (error) {
          assert.match(error.message, /quorum/);
          return null;
        }
      },
    };
  },
  async "redis-semaphore"(t) {
    const { Mutex } = await peer("redis-semaphore");
    const connection = await connectIoredis(t);
    return {
      keyOf: (name) => `mutex:${name}`,
      async take(name) {
        const mutex = new Mutex(connection, name, {
          lockTimeout: 10_000,
          refreshInterval: 0,
          acquireTimeout: 50,
        });
        return (await mutex.tryAcquire()) ? () => mutex.release() : null;
      },
    };
  },
};

for (const [library, open] of Object.entries(libraries)) {
  test(`rule 4: ${library} and redlatch exclude each other on one key`, async (t) => {
    const { keyOf, take } = await open(t);
    const client = openClient(t, redis, { prefix: "", retry: { min: 5, max: 20 } });
    for (const fair of [false, true]) {
      const name = freshKey();
      const key = keyOf(name);

      const ours = await client.acquire(key, { fair });
      assert.equal(await take(name), null, "they cannot have what is ours");
      assert.equal(await ours.release(), "released");

      const release = await take(name);
      assert.ok(release, "they can have what is free");
      assert.equal(await client.tryAcquire(key, { fair }), null, "we cannot have what is theirs");
      const waiting = client.acquire(key, { fair, wait: 5_000 });
      assert.equal((await rejection(client.acquire(key, { fair, wait: 500 }))).code, "LOCK_TIMEOUT");
      await release();
      const next = await settles(waiting, 4_000, "our turn after theirs");
      assert.equal(await take(name), null);
      assert.equal(await next.release(), "released");
      const again = await take(name);
      assert.ok(again);
      await again();
      await until(async () => (await redis.send("EXISTS", key)) === 0);
    }
  });
}
