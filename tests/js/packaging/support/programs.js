// Copies of the programs in a folder of their own kind, with the packed package installed.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { emptyFolder } from "./tarball.js";

const tests = fileURLToPath(new URL("../../..", import.meta.url));

/** A program of tests/programs, in a folder elsewhere. `installed` is a project that has the package. */
export function projectOf(scope, name, installed) {
  const source = join(tests, "programs");
  const folder = emptyFolder(scope);
  cpSync(join(source, name), folder, { recursive: true });
  const modules = join(folder, "node_modules");
  mkdirSync(modules);
  for (const each of readdirSync(join(source, "node_modules"))) {
    symlinkSync(join(source, "node_modules", each), join(modules, each));
  }
  install(installed, folder);
  return folder;
}

/** A program of tests/frameworks, in a folder below its packages: Next follows no link that leads out of a project. */
export function frameworkProjectOf(scope, name, installed) {
  const source = join(tests, "frameworks");
  const folder = mkdtempSync(join(source, "run-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  cpSync(join(source, name), folder, { recursive: true });
  install(installed, folder);
  return folder;
}

function install(installed, folder) {
  const [from, to] = [installed, folder].map((each) => join(each, "node_modules/redlatch"));
  cpSync(from, to, { recursive: true });
}
