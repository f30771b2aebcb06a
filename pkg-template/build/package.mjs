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
writeFileSync(
  join(dist, "wasm/redlatch_core.js"),
  glueFactory(readFileSync(join(wasm, "redlatch_core.js"), "utf8"), version),
);
const core = stampWasm(readFileSync(join(wasm, "redlatch_core_bg.wasm")), version);
writeFileSync(join(dist, "wasm/inline.js"), inlineModule(core));
writeFileSync(join(dist, "core.wasm"), core);
// Comments stay in the declarations, where editors show them.
minify(dist);
prune(staging, stamp(staging));
rmSync(output, { recursive: true, force: true });
renameSync(staging, output);
printSizes();
