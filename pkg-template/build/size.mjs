import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { output, wasm } from "./paths.mjs";

/** Sizes in bytes, raw and gzip: of the wasm, and of all shipped JavaScript but the wasm's base64. */
export function sizes() {
  const dist = join(output, "dist");
  const scripts = readdirSync(dist, { recursive: true })
    .filter((name) => name.endsWith(".js") && name !== join("wasm", "inline.js"))
    .sort()
    .map((name) => readFileSync(join(dist, name)));
  return {
    wasm: sizeOf(readFileSync(join(wasm, "redlatch_core_bg.wasm"))),
    // Together, as a bundle or a tarball compresses them.
    javascript: sizeOf(Buffer.concat(scripts)),
  };
}

function sizeOf(bytes) {
  return { raw: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length };
}

export function printSizes() {
  for (const [name, { raw, gzip }] of Object.entries(sizes())) {
    console.log(`${name.padEnd(10)} ${String(raw).padStart(7)} bytes, ${String(gzip).padStart(6)} gzip`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) printSizes();
