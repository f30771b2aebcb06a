import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { output } from "./paths.mjs";

/** Entries by what is built for; the wasm is counted apart, and so is what each runtime has itself. */
const ENTRIES = {
  "Node.js, Bun": "entry/node.js",
  Deno: "entry/deno.js",
  workerd: "entry/workerd.js",
  browser: "entry/browser.js",
};

/**
 * What an application gets that calls createClient and ready, in bytes, raw and gzip: the wasm, and by entry the JavaScript, bundled
 * and minified. Base64 makes the inlined wasm a third larger, and as much after gzip: it hides the bytes that repeat.
 */
export function sizes() {
  const wasm = readFileSync(join(output, "dist/core.wasm"));
  const inlined = Buffer.from(wasm.toString("base64"));
  const scripts = Object.entries(ENTRIES).map(([name, entry]) => [
    `JavaScript, ${name}`,
    sizeOf(bundle(entry)),
  ]);
  return { wasm: sizeOf(wasm), "wasm in base64": sizeOf(inlined), ...Object.fromEntries(scripts) };
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
    external: ["node:*", "cloudflare:*", "*/inline.js", "*/core.wasm"],
  });
  return outputFiles[0].contents;
}

function sizeOf(bytes) {
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

export function printSizes() {
  for (const [name, { raw, gzip }] of Object.entries(sizes())) {
    console.log(`${name.padEnd(24)} ${String(raw).padStart(7)} bytes, ${String(gzip).padStart(6)} gzip`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printSizes();
