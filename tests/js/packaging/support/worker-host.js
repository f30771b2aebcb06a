// Runs a worker's bundle in workerd, asks it once, and prints its answer. For Node.js 22 or later, which miniflare wants.
// Arguments: the folder of the bundle, its main module, and the bindings as JSON.
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { Miniflare } = createRequire(new URL("../../../runtimes/package.json", import.meta.url))("miniflare");

const [, , folder, main, bindings] = process.argv;
const wasm = readdirSync(folder).filter((name) => name.endsWith(".wasm"));
const worker = new Miniflare({
  modulesRoot: folder,
  modules: [
    { type: "ESModule", path: join(folder, main) },
    ...wasm.map((name) => ({ type: "CompiledWasm", path: join(folder, name) })),
  ],
  compatibilityDate: "2026-01-01",
  bindings: JSON.parse(bindings),
});
try {
  const response = await worker.dispatchFetch("http://worker/");
  console.log(await response.text());
  if (!response.ok) process.exitCode = 1;
} finally {
  await worker.dispose();
}
