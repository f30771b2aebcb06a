// `npm pack`, installed into an empty project without network, on each runtime, against a real server.
import { after, test } from "node:test";
import { assertLocks, startLockServer } from "./support/locking.js";
import { runtimes } from "./support/runtimes.js";
import { installedProject } from "./support/tarball.js";

const cwd = await installedProject({ after });
const server = await startLockServer({ after });

for (const [name, command] of Object.entries(runtimes)) {
  test(`${name} takes a lock by import`, () => assertLocks(server, [...command, "import.js"], { cwd }));

  // Deno reads the files that require() names at run time, and for that it wants a permission.
  const reading = name === "Deno" ? ["--allow-read=."] : [];
  test(`${name} takes a lock by require()`, () =>
    assertLocks(server, [...command, ...reading, "require.cjs"], { cwd }));

  test(`${name} takes a lock by redlatch/slim and the wasm file`, () =>
    assertLocks(server, [...command, ...reading, "slim.js"], { cwd }));
}

test("Deno takes a lock by its own npm: specifier", () =>
  assertLocks(server, [...runtimes.Deno, "npm.js"], { cwd }));
