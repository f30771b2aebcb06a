// The runtimes that tests/runtimes pins.
import { fileURLToPath } from "node:url";

const folder = new URL("../../runtimes/", import.meta.url);
const below = (path) => fileURLToPath(new URL(path, folder));

/** From where their packages are found, for createRequire. */
export const runtimesFolder = below("package.json");

/** Programs by name. */
export const programs = {
  node22: below("node_modules/node22/bin/node"),
  node24: below("node_modules/node24/bin/node"),
  deno: below("node_modules/.bin/deno"),
  bun: below("node_modules/.bin/bun"),
};
