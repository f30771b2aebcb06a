// Programs made into one file by each bundler: they run where there is no node_modules, and weigh what they use.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { browserBundlers, bundlers, forEdge, forWorkers, withEsbuild } from "../../packaging/bundlers.js";
import { assertLocked, assertLocks, startLockServer } from "./support/locking.js";
import { execute, runtimes } from "./support/runtimes.js";
import { emptyFolder, installedProject } from "./support/tarball.js";
import { askWorker } from "./support/workers.js";

/** More than the error classes take, and far less than the wasm or the client. */
const ERRORS_ONLY = 8_000;
/** More than the size of a program whose wasm is a separate file. */
const WITHOUT_WASM = 80_000;

const project = await installedProject({ after });
const server = await startLockServer({ after });

/** What a program without sockets is given in their place. */
async function transportOfNode() {
  const { nodeTransport } = await import("../../../pkg/dist/transport/node.js");
  const there = { host: "127.0.0.1", port: server.port, tls: false, path: null };
  return { connect: (_, handler, signal) => nodeTransport.connect(there, handler, signal) };
}

for (const [name, bundle] of Object.entries(bundlers)) {
  test(`${name}: the bundle takes a lock`, async (t) => {
    const cwd = emptyFolder(t);
    const file = await bundle(join(project, "import.js"), cwd);
    await assertLocks(server, [process.execPath, file], { cwd });
  });

  test(`${name}: a program that knows the errors only gets no wasm and no client`, async (t) => {
    const cwd = emptyFolder(t);
    const file = await bundle(join(project, "errors.js"), cwd);
    const { stdout, stderr } = await execute([process.execPath, file], { cwd });
    assert.equal(stdout, "true false\n", stderr);
    const { length } = readFileSync(file);
    assert.ok(length < ERRORS_ONLY, `${length} bytes`);
  });
}

for (const [name, bundle] of Object.entries(browserBundlers)) {
  test(`${name}: the bundle has nothing of Node's, and takes a lock by a transport that it is given`, async (t) => {
    const folder = emptyFolder(t);
    const file = await bundle(join(project, "browser.js"), folder);
    assert.doesNotMatch(readFileSync(file, "utf8"), /["'`]node:|\brequire\(/);
    const { lock } = await import(pathToFileURL(file));
    assertLocked(await lock(await transportOfNode()));
  });
}

test("bun build --compile: the executable takes a lock", async (t) => {
  const cwd = emptyFolder(t);
  const program = join(cwd, "locker");
  const [bun] = runtimes.Bun;
  const built = await execute([bun, "build", "--compile", join(project, "import.js"), "--outfile", program], {
    cwd: project,
  });
  assert.equal(built.status, 0, built.stderr);
  assert.ok(existsSync(program) && !existsSync(join(cwd, "node_modules")));
  await assertLocks(server, [program], { cwd });
});

for (const app of ["worker.js", "slim-worker.js"]) {
  test(`a worker's bundle, as wrangler makes it, takes a lock in workerd: ${app}`, async (t) => {
    const cwd = emptyFolder(t);
    await forWorkers(join(project, app), cwd);
    const files = readdirSync(cwd).map((name) => name.replace(/-\w+\.wasm$/, ".wasm"));
    assert.deepEqual(files.sort(), ["core.wasm", "out.mjs"]);
    assert.ok(readFileSync(join(cwd, "out.mjs")).length < WITHOUT_WASM, "the wasm is there twice");
    assertLocked(await askWorker(t, cwd, { REDIS_URL: server.url }));
  });
}

for (const app of ["edge.js", "slim-edge.js"]) {
  test(`an edge bundle, as Next makes it, takes a lock with a wasm module of another realm: ${app}`, async (t) => {
    const script = readFileSync(await forEdge(join(project, app), emptyFolder(t)), "utf8");
    assert.ok(script.length < WITHOUT_WASM, "the wasm is in the script");
    const { atob, AbortController, AbortSignal, clearTimeout, crypto, performance, queueMicrotask } =
      globalThis;
    const { setTimeout, TextDecoder, TextEncoder, URL } = globalThis;
    const web = { atob, AbortController, AbortSignal, clearTimeout, crypto, performance, queueMicrotask };
    const wasm = new WebAssembly.Module(readFileSync(join(project, "node_modules/redlatch/dist/core.wasm")));
    const globals = { ...web, setTimeout, TextDecoder, TextEncoder, URL, wasm };
    const realm = vm.createContext(globals, { codeGeneration: { strings: false, wasm: false } });
    assert.equal(vm.runInContext("wasm instanceof WebAssembly.Module", realm), false);
    vm.runInContext(script, realm);
    const { lock } = vm.runInContext("program", realm);
    assertLocked({ ...(await lock(await transportOfNode())) });
  });
}

test("esbuild, of a program that requires: the bundle takes a lock where there is no node_modules", async (t) => {
  const cwd = emptyFolder(t);
  const file = await withEsbuild(join(project, "require.cjs"), join(cwd, "out.cjs"), { format: "cjs" });
  assert.doesNotMatch(readFileSync(file, "utf8"), /require\("redlatch/);
  await assertLocks(server, [process.execPath, file], { cwd });
});
