#!/usr/bin/env -S deno run --allow-net --allow-env=REDIS_URL
// A nightly report: cron starts this program on several machines, and one of them makes the report. First: deno add npm:redlatch
import { createClient } from "redlatch";

const locks = createClient(Deno.env.get("REDIS_URL") ?? "redis://127.0.0.1:6379");

// The lease is longer than the report takes plus the difference between the machines' clocks.
const lock = await locks.tryAcquire("report:nightly", { ttl: 600_000 });
if (lock === null) {
  console.log("another machine is making the report, or has made it");
} else {
  try {
    for (const part of ["orders", "customers", "stock"]) {
      // The lease is not renewed. If it has ended, another machine may hold the lock: stop before the next step.
      if (!(await lock.verify())) throw new Error("the lock is lost");
      await report(part);
    }
  } catch (error) {
    // Another machine may try.
    await lock.release();
    throw error;
  }
  // Neither release() nor close(), which releases: until the lease ends, the lock tells a machine whose cron fires later that
  // tonight's report has been made. The program ends all the same, because the lock is not renewed and its `signal` was not read.
}

/** Stands for the work. */
async function report(part) {
  await new Promise((resolve) => setTimeout(resolve, 100));
  console.log(`${part} reported`);
}
