// The package as `npm pack` makes it, unpacked.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "./redlatch.js";

/** Packs and unpacks; returns the folder, which is gone with `scope`. */
export function unpack(scope) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-packed-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const pack = ["pack", "--json", "--pack-destination", folder];
  const [{ filename }] = JSON.parse(execFileSync("npm", pack, { cwd: packageFolder, stdio: "pipe" }));
  execFileSync("tar", ["-xzf", filename], { cwd: folder });
  return join(folder, "package");
}

/** The file that `specifier` ("redlatch", "redlatch/slim", ...) means under `conditions`, relative to the folder. */
export function resolveExport(folder, specifier, conditions) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  let target = exports[specifier.replace(name, ".")];
  // As runtimes do: the first condition in the package's order that holds.
  while (typeof target === "object") {
    target = target[Object.keys(target).find((each) => each === "default" || conditions.includes(each))];
  }
  if (target === undefined) throw new Error(`the package does not export ${specifier}`);
  return target;
}
