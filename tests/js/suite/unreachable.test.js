// A server that cannot be reached: each runtime words that differently, and the package's error contains those words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { freePort } from "../support/redis.js";
import { ConnectionError } from "../support/redlatch.js";

/** The error of tryAcquire, and that of acquire, which tries again until its wait is over. */
async function bothErrors(t, url) {
  const client = openClient(t, url);
  return [
    await rejection(client.tryAcquire(freshKey())),
    await rejection(client.acquire(freshKey(), { wait: 1_000 })),
  ];
}

test("nobody listens", async (t) => {
  const port = await freePort();
  for (const error of await bothErrors(t, `redis://127.0.0.1:${port}`)) {
    assertLockError(error, {
      type: ConnectionError,
      code: "LOCK_CONNECTION",
      port,
      says: [/ECONNREFUSED|refused/],
    });
    if (error.cause !== undefined) assert.ok(error.cause instanceof Error, "the runtime's own error");
  }
});

test("a host that does not exist", async (t) => {
  for (const error of await bothErrors(t, "redis://no-such-host.invalid:6379")) {
    assertLockError(error, {
      type: ConnectionError,
      code: "LOCK_CONNECTION",
      port: 6379,
      says: [/ENOTFOUND|EAI_AGAIN|not found|failed to lookup/],
    });
  }
});
