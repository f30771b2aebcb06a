// What the declarations say of one entry holds for all: the compiler compares every entry with the one they are made from.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const template = fileURLToPath(new URL("../../../pkg-template", import.meta.url));
const source = (name) => join(template, "src", name);
const entriesIn = (folder) =>
  readdirSync(source(folder)).filter(
    (name) => name.endsWith(".ts") && !["browser.ts", "exports.ts"].includes(name),
  );

test("in each folder of entries, every entry has the shape of browser.ts", (t) => {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-entries-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const pairs = ["entry", "entry/slim", "entry/memory"].flatMap((room) =>
    entriesIn(room).map((name) => [`${room}/${name}`, `${room}/browser.ts`]),
  );
  assert.ok(pairs.length >= 6, "the entries were found");
  const shape = (name) => `typeof import(${JSON.stringify(source(name).replace(/\.ts$/, ".js"))})`;
  const lines = pairs.map(
    ([entry, model], at) => `export const entry${at}: Same<${shape(entry)}, ${shape(model)}> = true;`,
  );
  // Namespaces are never one and the same type; each must do wherever the other is wanted.
  const same = "type Same<A, B> = [A, B] extends [B, A] ? true : false;";
  writeFileSync(join(folder, "check.ts"), [same, ...lines].join("\n"));
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  const compilerOptions = { noEmit: true, rootDir: "/", typeRoots: [join(template, "node_modules/@types")] };
  const ambient = readdirSync(source("."), { recursive: true }).filter((name) =>
    /-namespace\.d\.ts$|webassembly\.d\.ts$/.test(name),
  );
  const files = ["check.ts", ...ambient.map((name) => source(name))];
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({ extends: join(template, "tsconfig.json"), compilerOptions, include: [], files }),
  );
  const { status, stdout } = spawnSync(
    process.execPath,
    [join(template, "node_modules/typescript/bin/tsc"), "-p", folder],
    { encoding: "utf8" },
  );
  assert.equal(status, 0, stdout);
});
