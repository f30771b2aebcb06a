// Importing the package does nothing: no clock, no timer, no randomness, no compilation, no listener, no global.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { startRedis } from "../support/redis.js";
import { execute, runtimes } from "./support/runtimes.js";
import { installedProject } from "./support/tarball.js";

const cwd = await installedProject({ after });
const server = await startRedis({ after });

for (const [name, command] of Object.entries(runtimes)) {
  test(`${name}: an import has no side effects`, async () => {
    // What it imports is named at run time, for which Deno wants a permission.
    const reading = name === "Deno" ? ["--allow-read=."] : [];
    const entries = [
      "redlatch",
      "redlatch/slim",
      "redlatch/memory",
      "./node_modules/redlatch/dist/entry/browser.js",
    ];
    const program = [...command, ...reading, "watch.js", server.url, ...entries];
    const { status, stdout, stderr } = await execute(program, { cwd });
    assert.equal(status, 0, stderr);
    const { onImport, onUse } = JSON.parse(stdout);
    assert.deepEqual(onImport, []);
    for (const call of ["WebAssembly.Module", "crypto.getRandomValues", "setTimeout", "performance.now"]) {
      assert.ok(onUse.includes(call), `${call} is not seen, even when a lock is taken: ${onUse.join()}`);
    }
  });
}
