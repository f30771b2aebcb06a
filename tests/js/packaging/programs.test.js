// Programs as people write them, with the packed package installed: each in the way that its tools come.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";
import { programs } from "../support/runtimes.js";
import { projectOf } from "./support/programs.js";
import { execute } from "./support/runtimes.js";
import { installedProject } from "./support/tarball.js";

const installed = await installedProject({ after });
const redis = await startRedis({ after });

const REDIS_URL = redis.url;
// As on a build machine: nobody watches, and nothing is coloured.
const QUIET = { CI: "true", NO_COLOR: "1" };

/** Runs the tests of a project, which must be at least `least` and pass, and leave nothing open. */
async function assertTested(t, name, [command, ...args], least) {
  const cwd = projectOf(t, name, installed);
  const { status, stdout, stderr } = await execute([command, ...args], { cwd, env: { REDIS_URL, ...QUIET } });
  assert.equal(status, 0, stdout + stderr);
  assert.doesNotMatch(stdout + stderr, /did not exit|open handle|worker process has failed/i);
  const [, passed] = /^ *Tests:?\s+(\d+) passed/m.exec(stdout + stderr) ?? [];
  assert.ok(passed >= least, `${passed} tests\n${stdout}${stderr}`);
}

test("Express, compiled to CommonJS: one payment at a time, and an end on SIGTERM", async (t) => {
  const cwd = projectOf(t, "express", installed);
  const compiled = await execute([process.execPath, "node_modules/typescript/bin/tsc"], { cwd });
  assert.equal(compiled.status, 0, compiled.stdout);
  const server = startWorker(t, pathToFileURL(join(cwd, "dist/server.js")), undefined, {
    cwd,
    env: { REDIS_URL },
    more: [],
  });
  await until(() => server.output.length > 0, { within: 20_000 });
  const [url] = server.output;
  const pay = async (id, wait) => {
    const response = await fetch(`${url}/orders/${id}/payment?wait=${wait}`, { method: "POST" });
    return { status: response.status, ...(await response.json()) };
  };
  const waiting = await Promise.all(Array.from({ length: 5 }, () => pay("a", 10_000)));
  assert.deepEqual(
    waiting.map(({ status, overlaps }) => [status, overlaps]),
    waiting.map(() => [200, 0]),
  );
  assert.deepEqual(waiting.map(({ paid }) => paid).sort(), [1, 2, 3, 4, 5]);
  assert.equal(new Set(waiting.map(({ fence }) => fence)).size, 5);
  const lock = await openClient(t, redis).acquire("order:b");
  assert.deepEqual(await pay("b", 0), { status: 409, code: "LOCK_TIMEOUT" });
  await lock.release();
  assert.equal((await pay("b", 0)).status, 200);

  // What is under way is finished first.
  const last = pay("c", 0);
  await until(async () => (await redis.send("EXISTS", "lock:order:c")) === 1);
  server.signal("SIGTERM");
  assert.equal((await last).status, 200);
  assert.deepEqual(await settles(server.exit, 10_000, "the server"), { code: 0, signal: null });
  assert.deepEqual(await redis.send("KEYS", "lock:order:*"), []);
});

test("Jest as it comes", (t) =>
  assertTested(t, "jest", [process.execPath, "node_modules/jest/bin/jest.js"], 6));

test("ts-jest as it comes", (t) =>
  assertTested(t, "ts-jest", [process.execPath, "node_modules/jest/bin/jest.js"], 2));

test("Vitest as it comes", (t) =>
  // It is for Node.js 22 and later.
  assertTested(t, "vitest", [programs.node22, "node_modules/vitest/vitest.mjs", "run"], 6));
