import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { output } from "./paths.mjs";

/** The entry for each runtime. The wasm is counted separately, and modules of the runtime are not counted. */
const ENTRIES = {
  "Node.js, Deno, Bun": "entry/node.js",
  workerd: "entry/workerd.js",
  "edge-light": "entry/edge-light.js",
  browser: "entry/browser.js",
};

/** The most that each may be after gzip, in bytes; a test compares. */
export const BUDGET = {
  wasm: 106_700,
  "wasm, inlined": 107_600,
  "JavaScript, Node.js, Deno, Bun": 24_600,
  "JavaScript, workerd": 23_450,
  "JavaScript, edge-light": 22_850,
  "JavaScript, browser": 23_250,
  "npm package": 817_000,
};

/**
 * What createClient and ready add to an application, in bytes, raw and gzip: the wasm, and for each entry the JavaScript,
 * bundled and minified. The inlined wasm is larger than the wasm in raw bytes only.
 */
export function sizes() {
  const wasm = readFileSync(join(output, "dist/core.wasm"));
  const inlined = readFileSync(join(output, "dist/core/inline.js"));
  const scripts = Object.entries(ENTRIES).map(([name, entry]) => [
    `JavaScript, ${name}`,
    sizeOf(bundle(entry)),
  ]);
  return { wasm: sizeOf(wasm), "wasm, inlined": sizeOf(inlined), ...Object.fromEntries(scripts) };
}

function bundle(entry) {
  const { outputFiles } = buildSync({
    stdin: {
      contents: `export { createClient, ready } from "./${entry}";`,
      resolveDir: join(output, "dist"),
    },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external: ["node:*", "cloudflare:*", "*/inline.js", "*/core.wasm", "*/core.wasm?module"],
  });
  return outputFiles[0].contents;
}

function sizeOf(bytes) {
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

export function printSizes() {
  for (const [name, { raw, gzip }] of Object.entries(sizes())) print(name, raw, `${gzip} gzip`);
}

function print(name, raw, rest) {
  console.log(`${name.padEnd(31)} ${String(raw).padStart(7)} bytes, ${rest} of at most ${BUDGET[name]}`);
}

/** What npm transfers, and what it puts into node_modules; most of it is the wasm, in both kinds of module. */
function printPackage() {
  const packed = execFileSync("npm", ["pack", "--dry-run", "--json"], { cwd: output, encoding: "utf8" });
  const [{ size, unpackedSize }] = JSON.parse(packed);
  print("npm package", unpackedSize, `${size} packed`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  printSizes();
  printPackage();
}
