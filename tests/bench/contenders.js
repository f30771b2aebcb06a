// The libraries that are measured: each gives a function that takes and releases one lock, and one that ends it.

const LEASE = 30_000;

// What a lock by hand costs on ioredis: no retries, no events, no errors of its own. No library on ioredis can be faster.
const TAKE = "return redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')";
const FREE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

async function connectIoredis(port, lanes) {
  const { Redis } = await import("ioredis");
  // What serves the peers best: with many in flight one write for a whole tick is faster, with one it only costs.
  const redis = new Redis({ host: "127.0.0.1", port, lazyConnect: true, enableAutoPipelining: lanes > 1 });
  await redis.connect();
  return redis;
}

export const contenders = {
  async redlatch(port) {
    const { createClient } = await import("../js/support/redlatch.js");
    const client = createClient({ url: `redis://127.0.0.1:${port}`, ttl: LEASE });
    return {
      async pair(key) {
        const lock = await client.acquire(key);
        if ((await lock.release()) !== "released") throw new Error("not released");
      },
      close: () => client.close(),
    };
  },
  async redlock(port, lanes) {
    const { default: Redlock } = await import("redlock");
    const redis = await connectIoredis(port, lanes);
    const redlock = new Redlock([redis], { retryCount: 0 });
    return {
      async pair(key) {
        const lock = await redlock.acquire([key], LEASE);
        await lock.release();
      },
      close: () => redis.quit(),
    };
  },
  async "redis-semaphore"(port, lanes) {
    const { Mutex } = await import("redis-semaphore");
    const redis = await connectIoredis(port, lanes);
    return {
      async pair(key) {
        // No refresh timer: the others renew nothing here either.
        const mutex = new Mutex(redis, key, { lockTimeout: LEASE, refreshInterval: 0 });
        await mutex.acquire();
        await mutex.release();
      },
      close: () => redis.quit(),
    };
  },
  async "ioredis EVALSHA"(port, lanes) {
    const redis = await connectIoredis(port, lanes);
    const [take, free] = await Promise.all([redis.script("LOAD", TAKE), redis.script("LOAD", FREE)]);
    let count = 0;
    return {
      async pair(key) {
        count += 1;
        const token = `token-${count}`;
        if ((await redis.evalsha(take, 1, key, token, LEASE)) !== "OK") throw new Error("not taken");
        if ((await redis.evalsha(free, 1, key, token)) !== 1) throw new Error("not released");
      },
      close: () => redis.quit(),
    };
  },
};

/** Measured beside the others as a limit; the rest are peers. */
export const LIMIT = "ioredis EVALSHA";
