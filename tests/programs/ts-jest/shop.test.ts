// In a project that has ts-jest as it comes, with TypeScript compiled to CommonJS.
import { createClient, type LockClient } from "redlatch";
import { createMemoryServer, type MemoryServer } from "redlatch/memory";
import { sell } from "./shop";

let server: MemoryServer;
let locks: LockClient;
beforeEach(() => {
  server = createMemoryServer();
  locks = createClient({ transport: server.transport });
});
afterEach(() => locks.close());

test("two buyers of one seat: one gets it", async () => {
  const fences: (bigint | null)[] = [];
  const buy = async (fence: bigint | null) => {
    fences.push(fence);
    await new Promise((resolve) => setTimeout(resolve, 20));
  };
  const sold = await Promise.all([sell(locks, "7A", buy), sell(locks, "7A", buy)]);
  expect(sold).toEqual([true, false]);
  expect(fences).toHaveLength(1);
  expect(typeof fences[0]).toBe("bigint");
});

test("a double in place of the client, of the client's type", async () => {
  const using = jest.fn().mockResolvedValue(undefined);
  const double: Pick<LockClient, "using"> = { using };
  await expect(sell(double as LockClient, "7A", async () => {})).resolves.toBe(true);
  expect(using).toHaveBeenCalledTimes(1);
});
