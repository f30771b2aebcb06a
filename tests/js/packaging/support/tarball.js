// The package as npm would publish it, and projects that have installed it.
import { execFile } from "node:child_process";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { packageFolder } from "../../support/redlatch.js";

const run = promisify(execFile);
const apps = fileURLToPath(new URL("../apps", import.meta.url));

/** A folder that nothing above has node_modules for; it goes when `scope` ends. */
export function emptyFolder(scope) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-packaging-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** `npm pack`: the tarball's path, its size in bytes, and what it says is in it. */
export async function pack(scope) {
  const folder = emptyFolder(scope);
  const { stdout } = await run("npm", ["pack", "--json", "--pack-destination", folder], {
    cwd: packageFolder,
  });
  const [{ filename, size, files }] = JSON.parse(stdout);
  return { path: join(folder, filename), size, files: files.map((file) => file.path).sort() };
}

/** A project of its own with the tarball installed, without network, and the programs of apps/ in it. */
export async function installedProject(scope) {
  const { path } = await pack(scope);
  const folder = emptyFolder(scope);
  writeFileSync(join(folder, "package.json"), '{ "name": "app", "private": true, "type": "module" }\n');
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", path], { cwd: folder });
  cpSync(apps, folder, { recursive: true });
  return folder;
}
