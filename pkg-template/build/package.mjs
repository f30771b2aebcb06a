// The steps after wasm-opt: makes the npm package in pkg/ from target/wasm and pkg-template.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkFacade } from "./facade.mjs";
import { glueFactory, inlineModule, stampWasm } from "./glue.mjs";
import { minify } from "./minify.mjs";
import { modules, output, staging, template, wasm } from "./paths.mjs";
import { prune } from "./prune.mjs";
import { printSizes } from "./size.mjs";
import { crateVersion, stamp } from "./stamp.mjs";
import { tsc } from "./tsc.mjs";

const dist = join(staging, "dist");
const version = crateVersion();

checkFacade();
rmSync(staging, { recursive: true, force: true });
tsc("-p", template, "--outDir", dist, "--declaration");
for (const module of modules) put(module);
// The declarations keep their comments, because editors show them.
minify(dist);
prune(staging, stamp(staging));
rmSync(output, { recursive: true, force: true });
renameSync(staging, output);
printSizes();

/** Puts a wasm into the package: its glue, its bytes as a string, and its bytes as a file. */
function put({ module, name, room, file }) {
  const glue = readFileSync(join(wasm, `${module}.js`), "utf8");
  const bytes = stampWasm(readFileSync(join(wasm, `${module}_bg.wasm`)), version);
  mkdirSync(join(dist, room), { recursive: true });
  writeFileSync(join(dist, room, `${module}.js`), glueFactory(glue, name, version));
  writeFileSync(join(dist, room, "inline.js"), inlineModule(bytes));
  writeFileSync(join(dist, file), bytes);
}
