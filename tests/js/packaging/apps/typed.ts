// A program in TypeScript, as either kind of module; it prints what it saw.
import { createClient, type Lock, LockError, LockTimeoutError } from "redlatch";
import { createMemoryServer } from "redlatch/memory";
import * as slim from "redlatch/slim";

async function main(): Promise<void> {
  const { transport } = createMemoryServer();
  const locks = createClient({ transport, wait: 0 });
  const lock: Lock = await locks.acquire("k");
  const error: unknown = await locks.acquire("k").catch((reason: unknown) => reason);
  const refused = error instanceof LockTimeoutError && error instanceof slim.LockError ? error.attempts : 0;
  const cause = error instanceof LockError ? typeof error.cause : "not ours";
  const outcome: "released" | "expired" | "unknown" = await lock.release();
  await locks.close();
  console.log(JSON.stringify({ refused, cause, outcome }));
}

void main();
