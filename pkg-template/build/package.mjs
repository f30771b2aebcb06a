// Everything after wasm-opt: target/wasm and pkg-template become the npm package in pkg.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkFacade } from "./facade.mjs";
import { glueFactory, inlineModule, stampWasm } from "./glue.mjs";
import { minify } from "./minify.mjs";
import { output, staging, template, wasm } from "./paths.mjs";
import { prune } from "./prune.mjs";
import { printSizes } from "./size.mjs";
import { crateVersion, stamp } from "./stamp.mjs";
import { tsc } from "./tsc.mjs";

const dist = join(staging, "dist");
const version = crateVersion();

checkFacade();
rmSync(staging, { recursive: true, force: true });
tsc("-p", template, "--outDir", dist, "--declaration");
mkdirSync(join(dist, "wasm"), { recursive: true });
put("redlatch_core", "Core", { inline: "inline.js", file: "core.wasm" });
put("redlatch_memory", "MemoryServer", { inline: "inline-memory.js", file: "memory.wasm" });
// Comments stay in the declarations, where editors show them.
minify(dist);
prune(staging, stamp(staging));
rmSync(output, { recursive: true, force: true });
renameSync(staging, output);
printSizes();

/** A wasm in the package: its glue, and itself as text and as a file. */
function put(module, name, { inline, file }) {
  const glue = readFileSync(join(wasm, `${module}.js`), "utf8");
  const bytes = stampWasm(readFileSync(join(wasm, `${module}_bg.wasm`)), version);
  writeFileSync(join(dist, "wasm", `${module}.js`), glueFactory(glue, name, version));
  writeFileSync(join(dist, "wasm", inline), inlineModule(bytes));
  writeFileSync(join(dist, file), bytes);
}
