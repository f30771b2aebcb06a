#!/usr/bin/env -S deno run --allow-net --allow-env=REDIS_URL
// A nightly report that cron starts on several machines, and one of them makes. First: deno add npm:redlatch
import { createClient } from "redlatch";

const locks = createClient(Deno.env.get("REDIS_URL") ?? "redis://127.0.0.1:6379");

const lock = await locks.tryAcquire("report:nightly", { ttl: 10_000, renew: true });
if (lock === null) {
  console.log("another machine is at it");
} else {
  try {
    for (const part of ["orders", "customers", "stock"]) {
      // The lease is renewed meanwhile. If that fails, the lock may be another's: stop before the next step.
      lock.signal.throwIfAborted();
      await report(part, lock.signal);
    }
  } finally {
    console.log(`lock ${await lock.release()}`);
  }
}
await locks.close();

/** Stands for what takes long; ends at once when `signal` aborts. */
async function report(part, signal) {
  await new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, 100);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
  console.log(`${part} reported`);
}
