// Other lock libraries, with their defaults except for lease and patience.
import { connectIoredis } from "./ioredis.js";

/** For peers that count their attempts. */
const FOR_EVER = 1_000_000;

/** node-redlock and its fork: the same API. */
export async function openRedlock(Redlock, options) {
  const { connections, close } = await connectIoredis(options);
  const redlock = new Redlock(connections, { retryCount: -1 });
  redlock.on("error", () => {});
  return {
    async take(key) {
      const lock = await redlock.acquire([key].flat(), options.lease);
      return () => lock.release();
    },
    close,
  };
}

export async function openRedlockUniversal(options) {
  const { createLock, createRedlock, IoredisAdapter, LockManager } = await import("redlock-universal");
  const { connections, close } = await connectIoredis(options);
  const adapters = connections.map((connection) => new IoredisAdapter(connection));
  const common = { ttl: options.lease, retryAttempts: FOR_EVER };
  const make = (key) =>
    adapters.length === 1
      ? createLock({ ...common, key, adapter: adapters[0] })
      : createRedlock({ ...common, key, adapters });
  const locks = new Map();
  const lockOf = (key) => {
    if (!locks.has(key)) locks.set(key, make(key));
    return locks.get(key);
  };
  const manager = new LockManager({ nodes: adapters });
  return {
    async take(key) {
      if (Array.isArray(key)) {
        const handles = await manager.acquireBatch(key, common);
        return () => manager.releaseBatch(handles);
      }
      const lock = lockOf(key);
      const handle = await lock.acquire();
      return () => lock.release(handle);
    },
    close,
  };
}

export async function openRedisSemaphore(options) {
  const { Mutex, RedlockMutex } = await import("redis-semaphore");
  const { connections, close } = await connectIoredis(options);
  const { lease, renew, onLost } = options;
  // As often as redlatch renews, or never.
  const common = {
    lockTimeout: lease,
    refreshInterval: renew ? Math.floor(lease / 3) : 0,
    acquireTimeout: 600_000,
    // By default it throws where nobody can catch it.
    onLockLost: () => onLost?.(),
  };
  return {
    async take(key) {
      const mutex =
        connections.length === 1
          ? new Mutex(connections[0], key, common)
          : new RedlockMutex(connections, key, common);
      await mutex.acquire();
      return () => mutex.release();
    },
    close,
  };
}
