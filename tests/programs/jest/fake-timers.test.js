// Jest's fake timers as they come: they also take queueMicrotask, process.nextTick and the clocks away.
const { createClient, LockTimeoutError } = require("redlatch");
const { createMemoryServer } = require("redlatch/memory");

const servers = {
  "a real server": () => ({ url: process.env.REDIS_URL }),
  "a server in memory": () => ({ transport: createMemoryServer().transport }),
};

afterEach(() => {
  jest.useRealTimers();
});

test.each(Object.keys(servers))("locks are taken, waited for and released, with %s", async (name) => {
  const options = servers[name]();
  const locks = createClient(options);
  jest.useFakeTimers();
  const lock = await locks.acquire("fake");
  expect(lock.held).toBe(true);
  expect(await locks.using("fake other", () => "done")).toBe("done");
  // A wait that runs out, with nobody to move the time.
  await expect(locks.acquire("fake", { wait: 300 })).rejects.toBeInstanceOf(LockTimeoutError);
  expect(await lock.release()).toBe("released");
  await locks.close();
  // A client that is made under them.
  const late = createClient(options);
  expect(await late.using("fake", () => "late")).toBe("late");
  await late.close();
});

test("the time of the application passes, and that of the locks does not", async () => {
  const locks = createClient(process.env.REDIS_URL);
  jest.useFakeTimers();
  const lock = await locks.acquire("fake", { ttl: 5_000 });
  const paid = new Promise((resolve) => setTimeout(resolve, 60_000, "paid"));
  jest.advanceTimersByTime(60_000);
  await expect(paid).resolves.toBe("paid");
  expect(lock.held).toBe(true);
  expect(lock.signal.aborted).toBe(false);
  expect(await lock.release()).toBe("released");
  await locks.close();
});
