import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { transformSync } from "esbuild";

/** Modules whose classes appear in the logs of applications: these keep their names. */
const NAMED = new Set(["client.js", "errors/errors.js", "lock/held-lock.js"].map(normalize));

/** Removes comments and white space from every module, and shortens local names. */
export function minify(dist) {
  for (const name of readdirSync(dist, { recursive: true })) {
    if (!name.endsWith(".js")) continue;
    const file = join(dist, name);
    const options = { minify: true, keepNames: NAMED.has(name), format: "esm", target: "es2022" };
    writeFileSync(file, transformSync(readFileSync(file, "utf8"), { ...options, sourcefile: name }).code);
  }
}
