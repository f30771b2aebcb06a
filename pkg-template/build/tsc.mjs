import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { template } from "./paths.mjs";

/** Runs the pinned TypeScript compiler; throws when it reports an error. */
export function tsc(...args) {
  const compiler = join(template, "node_modules/typescript/bin/tsc");
  const { status, error } = spawnSync(process.execPath, [compiler, ...args], { stdio: "inherit" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error("tsc reported errors, see above");
}
