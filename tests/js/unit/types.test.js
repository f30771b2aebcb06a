// The declarations, as programs that use the package see them: with Node's types or with a browser's, however modules are
// found, by the compiler of today and by the first that knows `await using`.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const modules = path("../../../pkg-template/node_modules");
const compilers = {
  now: join(modules, "typescript/bin/tsc"),
  5.2: path("../../packaging/node_modules/typescript52/lib/tsc.js"),
};
const node = { types: ["node"], lib: ["ES2022"] };
const browser = { types: [], lib: ["ES2022", "DOM"] };
const programs = {
  "with @types/node": node,
  "without @types/node": browser,
  "as a bundler sees it": { ...browser, module: "ESNext", moduleResolution: "bundler" },
  "by the rules of Node 16": { ...node, module: "Node16", moduleResolution: "Node16" },
  "with TypeScript 5.2": { ...browser, compiler: 5.2 },
};

for (const [what, { compiler = "now", ...own }] of Object.entries(programs)) {
  test(`the package's types are as documented, ${what}`, (t) => {
    const folder = mkdtempSync(join(tmpdir(), "redlatch-types-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    mkdirSync(join(folder, "node_modules/@types"), { recursive: true });
    symlinkSync(path("../../../pkg"), join(folder, "node_modules/redlatch"));
    for (const name of own.types)
      symlinkSync(join(modules, "@types", name), join(folder, "node_modules/@types", name));
    cpSync(path("types"), folder, { recursive: true });
    writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
    const compilerOptions = {
      target: "ES2022",
      module: "NodeNext",
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
      ...own,
    };
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
    const { status, stdout } = spawnSync(process.execPath, [compilers[compiler], "-p", folder], {
      encoding: "utf8",
    });
    assert.equal(status, 0, stdout);
  });
}

test("the declarations need no other package's", () => {
  const dist = path("../../../pkg/dist");
  for (const name of readdirSync(dist, { recursive: true }).filter((each) => /\.d\.c?ts$/.test(each))) {
    const text = readFileSync(join(dist, name), "utf8");
    assert.doesNotMatch(text, /<reference (types|path)=/, name);
    for (const [, from] of text.matchAll(/\b(?:from|import)\s*\(?"([^"]+)"/g))
      assert.match(from, /^\.\.?\//, name);
    assert.doesNotMatch(text, /\b(?:NodeJS|Buffer|Deno|Bun)\b\./, name);
  }
});
