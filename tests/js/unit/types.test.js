// The declarations, as a program that uses the package sees them, with Node's types and with a browser's.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const modules = path("../../../pkg-template/node_modules");

for (const [what, { types, lib }] of Object.entries({
  "with @types/node": { types: ["node"], lib: ["ES2022"] },
  "without @types/node": { types: [], lib: ["ES2022", "DOM"] },
})) {
  test(`the package's types are as documented, ${what}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "redlatch-types-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
    symlinkSync(path("../../../pkg"), join(folder, "node_modules/redlatch"));
    for (const name of types)
      symlinkSync(join(modules, "@types", name), join(folder, "node_modules/@types", name));
    copyFileSync(path("types/usage.ts"), join(folder, "usage.ts"));
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const compilerOptions = {
      target: "ES2022",
      module: "NodeNext",
      lib,
      types,
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["usage.ts"] }));
    const tsc = join(modules, "typescript/bin/tsc");
    const { status, stdout } = spawnSync(process.execPath, [tsc, "-p", folder], { encoding: "utf8" });
    assert.equal(status, 0, stdout);
  });
}
