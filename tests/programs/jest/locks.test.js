// In a project that has Jest as it comes: no configuration, CommonJS.
const { createClient, LockTimeoutError } = require("redlatch");
const { createMemoryServer } = require("redlatch/memory");

const servers = {
  "a real server": () => ({ url: process.env.REDIS_URL }),
  "a server in memory": () => ({ transport: createMemoryServer().transport }),
};

describe.each(Object.keys(servers))("with %s", (name) => {
  let locks;
  beforeEach(() => {
    locks = createClient(servers[name]());
  });
  afterEach(async () => {
    await locks.close();
  });

  test("a lock is held, refused and released", async () => {
    const lock = await locks.acquire("k");
    expect(lock.held).toBe(true);
    expect(await locks.tryAcquire("k")).toBeNull();
    await expect(locks.acquire("k", { wait: 0 })).rejects.toBeInstanceOf(LockTimeoutError);
    expect(await lock.release()).toBe("released");
  });
});

test("a module that makes its client without an environment can be loaded, and mocked", async () => {
  const { locks } = require("./without-environment.js");
  await expect(locks.acquire("k")).rejects.toThrow(/environment variable/);
  const spy = jest
    .spyOn(require("redlatch"), "createClient")
    .mockReturnValue({ acquire: async () => "mocked" });
  expect(await require("redlatch").createClient().acquire()).toBe("mocked");
  spy.mockRestore();
});
