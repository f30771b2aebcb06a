// Runtimes that lack something: typed errors that say what can be done.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { withEsbuild } from "../../packaging/bundlers.js";
import { rejection } from "../support/conditions.js";
import { packageFolder } from "../support/redlatch.js";
import { execute, runtimes } from "./support/runtimes.js";
import { emptyFolder, installedProject } from "./support/tarball.js";
import { askWorker } from "./support/workers.js";

const project = await installedProject({ after });
const entry = (name) => import(pathToFileURL(join(packageFolder, "dist/entry", name)));

// V8 without its compilers has no WebAssembly.
const jitless = Object.entries(runtimes)
  .filter(([name]) => name.startsWith("Node"))
  .map(([name, [node]]) => [name, [node, "--jitless"]]);
const [deno, ...flags] = runtimes.Deno;
for (const [name, command] of [...jitless, ["Deno", [deno, ...flags, "--v8-flags=--jitless"]]]) {
  test(`${name} without WebAssembly: createClient says so`, async () => {
    const program = [...command, "refused.js", "redis://127.0.0.1:1"];
    const { status, stdout, stderr } = await execute(program, { cwd: project });
    assert.equal(status, 0, stderr);
    const { message, ...rest } = JSON.parse(stdout);
    assert.deepEqual(rest, { made: false, name: "InternalError", code: "LOCK_INTERNAL" });
    assert.match(message, /no WebAssembly.*--jitless/);
  });
}

test("no WebAssembly: ready() of both entries says so", async (t) => {
  const { WebAssembly } = globalThis;
  t.after(() => Object.assign(globalThis, { WebAssembly }));
  const [inline, slim] = [await entry("browser.js"), await entry("slim/browser.js")];
  delete globalThis.WebAssembly;
  for (const promise of [inline.ready(), slim.ready(new Uint8Array(8))]) {
    const error = await rejection(promise);
    assert.ok(error instanceof inline.InternalError);
    assert.match(error.message, /no WebAssembly.*--jitless/);
  }
});

test("no sockets: createClient names the transports that can take their place", async () => {
  for (const name of ["browser.js", "slim/browser.js"]) {
    const { createClient, ready } = await entry(name);
    if (name === "slim/browser.js") await ready(readFileSync(join(packageFolder, "dist/core.wasm")));
    const expected = { name: "TypeError", message: /^transport is missing.*fromWebSocket.*fromRest/ };
    assert.throws(() => createClient("redis://127.0.0.1:1"), expected);
    assert.throws(
      () => createClient({ nodes: ["redis://127.0.0.1:1"] }),
      /^TypeError: nodes\[0\]\.transport is missing/,
    );
  }
});

test("a policy that forbids compilation: the first lock says what to allow", async (t) => {
  const file = join(emptyFolder(t), "page.js");
  const options = { format: "iife", globalName: "page", platform: "browser" };
  await withEsbuild(join(project, "page.js"), file, options);
  const { atob, AbortController, AbortSignal, crypto, performance, queueMicrotask } = globalThis;
  const { clearTimeout, setTimeout, TextDecoder, TextEncoder, URL } = globalThis;
  const ours = { atob, AbortController, AbortSignal, crypto, performance, queueMicrotask };
  const others = { clearTimeout, setTimeout, TextDecoder, TextEncoder, URL };
  // As a page is under a content security policy.
  const context = vm.createContext({ ...ours, ...others }, { codeGeneration: { wasm: false } });
  vm.runInContext(readFileSync(file, "utf8"), context);
  const { message, cause, ...rest } = await vm.runInContext("page.attempt()", context);
  assert.deepEqual({ ...rest }, { name: "InternalError", code: "LOCK_INTERNAL", internal: true });
  assert.match(message, /'wasm-unsafe-eval'.*redlatch\/slim/);
  assert.match(cause, /disallowed/);
});

test("workerd, bundled for another runtime: the first lock says how the core can be loaded", async (t) => {
  const folder = emptyFolder(t);
  const options = { format: "esm", platform: "browser", conditions: ["browser"] };
  await withEsbuild(join(project, "page.js"), join(folder, "out.mjs"), options);
  const { message, cause, ...rest } = await askWorker(t, folder);
  assert.deepEqual(rest, { name: "InternalError", code: "LOCK_INTERNAL", internal: true });
  assert.match(message, /"workerd".*redlatch\/slim/);
  assert.match(cause, /disallowed/);
});
