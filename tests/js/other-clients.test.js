// Locks over the clients that an application already has, on Node.js, Bun and Deno.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { CHECKS, startAppRedis } from "./support/client-contract.js";
import { clients } from "./support/other-clients.js";
import { startWorker } from "./support/processes.js";
import { programs } from "./support/runtimes.js";

const servers = await Promise.all([1, 2, 3].map(() => startAppRedis({ after })));

for (const name of ["ioredis 5", "ioredis 6", "node-redis 4", "node-redis 5", "node-redis 6", "GLIDE"]) {
  for (const [what, check] of Object.entries(CHECKS)) {
    test(`${name}: ${what}`, { timeout: 30_000 }, (t) => check(t, clients[name], servers));
  }
}

test("ioredis with its defaults resends a command whose reply was lost, which the documented settings prevent", async (t) => {
  const asItComes = { autoResendUnfulfilledCommands: true, enableOfflineQueue: true };
  const open = (scope, options) => clients["ioredis 6"](scope, { ...options, ...asItComes });
  const check = CHECKS["a command whose reply is lost is not sent again, but asked anew by us"](
    t,
    open,
    servers,
  );
  await assert.rejects(check, { code: "ERR_ASSERTION", actual: 2, expected: 1 });
});

// Deno's own client is not on npm: there, those from npm are run.
for (const [what, name, command, args] of [
  ["Bun", "Bun's own", "bun", []],
  ["Bun", "ioredis 6", "bun", []],
  ["Deno", "ioredis 6", "deno", ["run", "--allow-all"]],
  ["Deno", "node-redis 6", "deno", ["run", "--allow-all"]],
]) {
  test(`on ${what}, ${name}`, { timeout: 60_000 }, async (t) => {
    const script = new URL("workers/client-contract.js", import.meta.url);
    const worker = startWorker(t, script, { name }, { command: programs[command], args });
    await worker.said(({ done }) => done, 50_000);
    const checked = worker.messages.filter((message) => message.what);
    assert.deepEqual(
      checked.map((message) => message.what),
      Object.keys(CHECKS),
    );
    const failed = worker.messages.filter(({ error, unhandled }) => error ?? unhandled);
    assert.deepEqual(failed, []);
  });
}

test("the one-liners fit the clients' own types", () => {
  const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
  const tsc = path("../../pkg-template/node_modules/typescript/bin/tsc");
  const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", path("../clients")], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stdout);
});
