// The steps after wasm-opt: makes the npm package in pkg/ from target/wasm and pkg-template.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { addCommonJs } from "./commonjs.mjs";
import { checkFacade } from "./facade.mjs";
import { glueFactory, stampWasm } from "./glue.mjs";
import { inlineModule } from "./inline.mjs";
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
addCommonJs(dist);
for (const module of modules) put(module);
prune(staging, stamp(staging));
rmSync(output, { recursive: true, force: true });
renameSync(staging, output);
printSizes();

/** Puts a wasm into the package: its glue and its bytes as strings, each in both kinds of module, and its bytes as a file. */
function put({ module, name, room, file }) {
  const glue = readFileSync(join(wasm, `${module}.js`), "utf8");
  const bytes = stampWasm(readFileSync(join(wasm, `${module}_bg.wasm`)), version);
  mkdirSync(join(dist, room), { recursive: true });
  for (const ending of ["js", "cjs"]) {
    writeFileSync(join(dist, room, `${module}.${ending}`), glueFactory(glue, name, version, ending));
    writeFileSync(join(dist, room, `inline.${ending}`), inlineModule(bytes, ending));
  }
  writeFileSync(join(dist, file), bytes);
}
