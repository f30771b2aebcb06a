#!/usr/bin/env -S deno run --allow-net --allow-env=REDIS_URL
// A nightly report that cron starts on several machines, and one of them makes, once. First: deno add npm:redlatch
import { createClient } from "redlatch";

const locks = createClient(Deno.env.get("REDIS_URL") ?? "redis://127.0.0.1:6379");

// Longer than the report takes, and than the machines' clocks differ.
const lock = await locks.tryAcquire("report:nightly", { ttl: 600_000 });
if (lock === null) {
  console.log("another machine makes it, or has made it");
} else {
  try {
    for (const part of ["orders", "customers", "stock"]) {
      // The lease is not renewed. If it has ended, the lock may be another's: stop before the next step.
      if (!(await lock.verify())) throw new Error("the lock is lost");
      await report(part);
    }
  } catch (error) {
    // Another machine may try.
    await lock.release();
    throw error;
  }
  // No release(), nor close(), which releases: until the lease ends, the lock says to a machine whose cron fires later that tonight's
  // report is made. The program ends without them, because the lock is not renewed and its `signal` was not looked at.
}

/** Stands for what takes long. */
async function report(part) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(`${part} reported`);
}
