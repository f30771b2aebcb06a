import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, normalize } from "node:path";
import { transformSync } from "esbuild";

/** Modules with classes that applications meet in their logs: these keep their names. */
const NAMED = new Set(["client.js", "errors/errors.js", "lock/held-lock.js"].map(normalize));

/** Takes comments, white space and long local names out of every module. */
export function minify(dist) {
  for (const name of readdirSync(dist, { recursive: true })) {
    if (!name.endsWith(".js")) continue;
    const file = join(dist, name);
    const options = { minify: true, keepNames: NAMED.has(name), format: "esm", target: "es2022" };
    writeFileSync(file, transformSync(readFileSync(file, "utf8"), { ...options, sourcefile: name }).code);
  }
}
