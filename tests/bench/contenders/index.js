// The libraries that are measured. Each opens on one server or several, and gives
//   take(key)   waits for the lock and resolves with a function that releases it
//   close()     ends it
// and says which commands it sends, where those are not scripts only.

const LEASE = 30_000;
/** For peers that count their attempts. */
const FOR_EVER = 1_000_000;

// What a handwritten lock costs on ioredis: no retries, no events, no error classes. No library on ioredis can be faster.
const TAKE = "return redis.call('set', KEYS[1], ARGV[1], 'PX', ARGV[2], 'NX')";
const FREE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

async function connectIoredis(ports, busy) {
  const { Redis } = await import("ioredis");
  // As suits the peers best: with many commands in flight, one write per tick is faster; with one, it only costs.
  const connections = ports.map(
    (port) => new Redis({ host: "127.0.0.1", port, lazyConnect: true, enableAutoPipelining: busy }),
  );
  await Promise.all(connections.map((connection) => connection.connect()));
  return { connections, close: () => Promise.all(connections.map((connection) => connection.quit())) };
}

async function openRedlatch(ports, fair) {
  const { createClient } = await import("../js/support/redlatch.js");
  const [first, ...others] = ports.map((port) => `redis://127.0.0.1:${port}`);
  const server = others.length === 0 ? { url: first } : { nodes: [first, ...others] };
  const client = createClient({ ...server, ttl: LEASE, wait: 120_000 });
  const options = fair ? { fair } : undefined;
  return {
    async take(key) {
      const lock = await client.acquire(key, options);
      return async () => {
        if ((await lock.release()) !== "released") throw new Error("not released");
      };
    },
    close: () => client.close(),
  };
}

/** node-redlock and its fork: the same API. Intervals between attempts are their defaults. */
async function openRedlock(Redlock, ports, busy) {
  const { connections, close } = await connectIoredis(ports, busy);
  const redlock = new Redlock(connections, { retryCount: -1 });
  redlock.on("error", () => {});
  return {
    async take(key) {
      const lock = await redlock.acquire([key], LEASE);
      return () => lock.release();
    },
    close,
  };
}

export const contenders = {
  redlatch: { open: (ports) => openRedlatch(ports, false) },
  "redlatch, fair": { open: (ports) => openRedlatch(ports, true) },
  redlock: {
    async open(ports, busy) {
      const { default: Redlock } = await import("redlock");
      return openRedlock(Redlock, ports, busy);
    },
  },
  "@sesamecare-oss/redlock": {
    async open(ports, busy) {
      const { Redlock } = await import("@sesamecare-oss/redlock");
      return openRedlock(Redlock, ports, busy);
    },
  },
  "redlock-universal": {
    commands: ["set"],
    async open(ports, busy) {
      const { createLock, createRedlock, IoredisAdapter } = await import("redlock-universal");
      const { connections, close } = await connectIoredis(ports, busy);
      const adapters = connections.map((connection) => new IoredisAdapter(connection));
      const options = { ttl: LEASE, retryAttempts: FOR_EVER };
      const locks = new Map();
      const lockOf = (key) => {
        if (!locks.has(key)) {
          const lock =
            ports.length === 1
              ? createLock({ ...options, key, adapter: adapters[0] })
              : createRedlock({ ...options, key, adapters });
          locks.set(key, lock);
        }
        return locks.get(key);
      };
      return {
        async take(key) {
          const lock = lockOf(key);
          const handle = await lock.acquire();
          return () => lock.release(handle);
        },
        close,
      };
    },
  },
  "redis-semaphore": {
    commands: ["set"],
    async open(ports, busy) {
      const { Mutex, RedlockMutex } = await import("redis-semaphore");
      const { connections, close } = await connectIoredis(ports, busy);
      // No refresh timer: the others renew nothing here either.
      const options = { lockTimeout: LEASE, refreshInterval: 0, acquireTimeout: 120_000 };
      return {
        async take(key) {
          const mutex =
            ports.length === 1
              ? new Mutex(connections[0], key, options)
              : new RedlockMutex(connections, key, options);
          await mutex.acquire();
          return () => mutex.release();
        },
        close,
      };
    },
  },
  "ioredis EVALSHA": {
    async open(ports, busy) {
      const { connections, close } = await connectIoredis(ports, busy);
      const [redis] = connections;
      const [take, free] = await Promise.all([redis.script("LOAD", TAKE), redis.script("LOAD", FREE)]);
      let count = 0;
      return {
        async take(key) {
          count += 1;
          const token = `token-${count}`;
          if ((await redis.evalsha(take, 1, key, token, LEASE)) !== "OK") throw new Error("not taken");
          return async () => {
            if ((await redis.evalsha(free, 1, key, token)) !== 1) throw new Error("not released");
          };
        },
        close,
      };
    },
  },
};

/** Our two kinds of lock. */
export const OURS = ["redlatch", "redlatch, fair"];
/** Measured beside the others as a limit; it neither waits nor votes. */
export const LIMIT = "ioredis EVALSHA";
export const PEERS = Object.keys(contenders).filter((name) => !OURS.includes(name) && name !== LIMIT);
