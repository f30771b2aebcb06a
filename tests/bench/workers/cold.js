// One cold start, in a process of its own: prints { made, locked } in ms from before the import to the client and to the first lock, and
// { memory } in bytes by which the process has grown by then. Arguments: the library, the server's port, the file of redlatch's entry.
const [name, port, entry] = process.argv.slice(2);

const libraries = {
  async redlatch() {
    const { createClient } = await import(entry);
    const client = createClient(`redis://127.0.0.1:${port}`);
    return { take: () => client.acquire("cold"), close: () => client.close() };
  },
  async "ioredis + redlock-universal"() {
    const [{ Redis }, { createLock, IoredisAdapter }] = await Promise.all([
      import("ioredis"),
      import("redlock-universal"),
    ]);
    const redis = new Redis({ host: "127.0.0.1", port: Number(port), lazyConnect: true });
    const lock = createLock({ adapter: new IoredisAdapter(redis), key: "cold", ttl: 30_000 });
    const take = async () => {
      const handle = await lock.acquire();
      return { release: () => lock.release(handle) };
    };
    return { take, close: () => redis.quit() };
  },
};

const { rss } = process.memoryUsage();
const start = performance.now();
const { take, close } = await libraries[name]();
const made = performance.now() - start;
const lock = await take();
const locked = performance.now() - start;
const memory = process.memoryUsage().rss - rss;
await lock.release();
await close();
console.log(JSON.stringify({ made, locked, memory }));
