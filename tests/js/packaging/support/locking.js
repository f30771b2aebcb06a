// A server on which somebody holds "taken", for the programs of apps/.
import assert from "node:assert/strict";
import { openClient } from "../../support/clients.js";
import { startRedis } from "../../support/redis.js";
import { execute } from "./runtimes.js";

export async function startLockServer(scope) {
  const server = await startRedis(scope);
  const holder = openClient(scope, server.url, { ttl: 600_000 });
  await holder.acquire("taken");
  return server;
}

/** Holds when the program has taken the lock that was free, was refused the one that was not, and has given back its own. */
export function assertLocked(result) {
  const { fence, ...rest } = result;
  assert.deepEqual(rest, { held: true, refused: true, name: "LockTimeoutError", outcome: "released" });
  assert.match(fence, /^[1-9]\d{15}$/, "microseconds since 1970, at least");
}

/** Runs a program of apps/ with the server's URL as its last argument, and checks what it prints. */
export async function assertLocks(server, command, options) {
  const { status, stdout, stderr } = await execute([...command, server.url], options);
  assert.equal(status, 0, `${command.join(" ")}\n${stdout}${stderr}`);
  assertLocked(JSON.parse(stdout));
  assert.equal(await server.send("EXISTS", "lock:free"), 0);
}
