// The CommonJS twins of the package's modules: each file.js has a file.cjs beside it, and each file.d.ts a file.d.cts.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { commonjs, template } from "./paths.mjs";
import { tsc } from "./tsc.mjs";

/** Compiles the sources once more, as CommonJS, and puts the scripts and declarations into `dist`. */
export function addCommonJs(dist) {
  rmSync(commonjs, { recursive: true, force: true });
  const settings = [
    "--module",
    "CommonJS",
    "--moduleResolution",
    "bundler",
    "--verbatimModuleSyntax",
    "false",
  ];
  tsc("-p", template, "--outDir", commonjs, ...settings);
  for (const name of readdirSync(commonjs, { recursive: true })) {
    if (name.endsWith(".js")) put(join(commonjs, name), join(dist, name.replace(/\.js$/, ".cjs")), REQUIRED);
  }
  for (const name of readdirSync(dist, { recursive: true })) {
    if (name.endsWith(".d.ts"))
      put(join(dist, name), join(dist, name.replace(/\.d\.ts$/, ".d.cts")), DECLARED);
  }
}

/** Where a module's own files are named: in scripts, and in declarations. */
const REQUIRED = /(\brequire\("\.[^"]+)\.js(?="\))/g;
const DECLARED = /(\b(?:from|import)\s*\(?"\.[^"]+)\.js(?=")/g;

function put(from, to, names) {
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, readFileSync(from, "utf8").replace(names, "$1.cjs"));
}
