import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

/**
 * Deletes the files that no entry of `manifest` leads to: declarations that are not public, and scripts that are empty
 * because they hold only types.
 */
export function prune(folder, manifest) {
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    if (!/\.(c?js|d\.c?ts)$/.test(file)) return;
    // What follows a question mark is for the bundler.
    const named = /\b(?:from|import|require) ?\(?"(\.[^"?]+)(?:\?\w+)?"/g;
    for (const [, target] of readFileSync(file, "utf8").matchAll(named)) {
      const path = join(dirname(file), target);
      visit(/\.d\.c?ts$/.test(file) ? path.replace(/\.(c?)js$/, ".d.$1ts") : path);
    }
  };
  for (const target of targets(manifest.exports))
    visit(join(folder, normalize(target.replace("?module", ""))));
  const dist = join(folder, "dist");
  for (const name of readdirSync(dist, { recursive: true })) {
    const file = join(dist, name);
    if (/\.(c?js|c?ts|wasm)$/.test(name) && !reached.has(file)) rmSync(file);
  }
}

/** The targets in an exports map. */
function targets(value) {
  return typeof value === "string" ? [value] : Object.values(value).flatMap(targets);
}
