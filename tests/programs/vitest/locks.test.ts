// In a project that has Vitest as it comes.
import { createClient, LockTimeoutError } from "redlatch";
import { createMemoryServer } from "redlatch/memory";
import { afterEach, expect, test, vi } from "vitest";

const servers = {
  "a real server": () => ({ url: process.env.REDIS_URL ?? "" }),
  "a server in memory": () => ({ transport: createMemoryServer().transport }),
};

afterEach(() => {
  vi.restoreAllMocks();
});

test.each(Object.keys(servers) as (keyof typeof servers)[])(
  "a lock is held, refused and released, with %s",
  async (name) => {
    const locks = createClient(servers[name]());
    const lock = await locks.acquire("k");
    expect(lock.held).toBe(true);
    expect(await locks.tryAcquire("k")).toBeNull();
    await expect(locks.acquire("k", { wait: 0 })).rejects.toBeInstanceOf(LockTimeoutError);
    expect(await lock.release()).toBe("released");
    await locks.close();
  },
);

test("a client's verbs can be spied on", async () => {
  const locks = createClient(servers["a server in memory"]());
  const acquire = vi.spyOn(locks, "acquire");
  await (await locks.acquire("k")).release();
  expect(acquire).toHaveBeenCalledWith("k");
  await locks.close();
});
