// What the README says of types, providers and other clients holds.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createClient } from "redlatch";
import { packageFolder } from "../support/redlatch.js";
import { execute } from "./support/runtimes.js";
import { emptyFolder } from "./support/tarball.js";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const ts = createRequire(new URL("../../packaging/package.json", import.meta.url))("typescript59");
const readme = readFileSync(path("../../../README.md"), "utf8");

/** The rows of the table below the headline `first`, each as its cells. */
function table(first) {
  const lines = readme.split("\n");
  const start = lines.findIndex((line) => line.startsWith(`| ${first} |`));
  assert.ok(start >= 0, `no table of ${first}`);
  const length = lines.slice(start).findIndex((line) => !line.startsWith("|"));
  return lines.slice(start + 2, start + length).map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

test("the README names every exported type, and no other", () => {
  const entries = ["browser.d.ts", "slim/browser.d.ts", "memory/browser.d.ts"];
  const files = entries.map((entry) => join(packageFolder, "dist/entry", entry));
  const program = ts.createProgram(files, { module: ts.ModuleKind.NodeNext, types: [] });
  const checker = program.getTypeChecker();
  const exported = files.flatMap((file) =>
    checker
      .getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)))
      .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
      // Classes are in the table of errors.
      .filter(({ flags }) => (flags & ts.SymbolFlags.Type) !== 0 && (flags & ts.SymbolFlags.Class) === 0)
      .map(({ name }) => name),
  );
  const cells = table("about").flatMap(([, types]) => [...types.matchAll(/`([A-Z]\w+)`/g)]);
  const named = cells.map(([, name]) => name).filter((name) => name !== "QuorumError");
  assert.deepEqual([...new Set(named)].sort(), [...new Set(exported)].sort());
});

test("the README's lines for those who come from other lock libraries compile as TypeScript", async (t) => {
  const rows = table("before");
  assert.ok(rows.length >= 8);
  const lines = rows.flatMap(([, now]) => [...now.matchAll(/`([^`"]+)`/g)].map(([, code]) => code));
  const calls = lines.filter((line) => line.startsWith("lock"));
  assert.ok(calls.length >= 8, calls.join("\n"));
  const head = `import { createClient, type Lock } from "redlatch";
declare const [url, key, keys, lock, work]: [string, string, string[], Lock, (signal: AbortSignal) => void];
const locks = createClient({ url, prefix: "" });
`;
  const folder = emptyFolder(t);
  writeFileSync(join(folder, "lines.ts"), head + calls.map((line) => `void (${line});\n`).join(""));
  await compile(folder, ["lines.ts"], {});
});

test("createClient takes the providers' URLs, as the README says", async () => {
  const rows = table("provider");
  assert.ok(rows.length >= 10);
  let urls = 0;
  for (const [provider, ...cells] of rows) {
    for (const [url] of cells.join(" ").matchAll(/\brediss?:\/\/[^`\s]+:[0-9]+/g)) {
      urls += 1;
      await createClient({ url, allowPlaintextAuth: cells[1].includes("allowPlaintextAuth: true") }).close();
      // The option is there for whoever needs it, and nobody else.
      const needed = url.startsWith("redis:") && url.includes("@");
      assert.equal(needed, cells[1].includes("allowPlaintextAuth: true"), provider);
    }
  }
  assert.ok(urls >= 10, `${urls} URLs`);
});

test("the README's lines for ioredis, node-redis and GLIDE compile as TypeScript", async (t) => {
  const blocks = [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, block]) => block);
  const folder = emptyFolder(t);
  const clients = path("../../clients/node_modules");
  const names = [];
  for (const [name, count] of Object.entries({ ioredis: 2, redis: 2, "@valkey/valkey-glide": 1 })) {
    const found = blocks.filter((text) => text.includes(`from "${name}"`));
    assert.equal(found.length, count, name);
    for (const block of found) {
      assert.ok(block.includes("fromCommand("), name);
      names.push(`example${names.length}.ts`);
      writeFileSync(join(folder, names.at(-1)), block);
    }
  }
  await compile(folder, names, {
    ioredis: join(clients, "ioredis6"),
    redis: join(clients, "redis6"),
    "@valkey/valkey-glide": join(clients, "@valkey/valkey-glide"),
  });
});

/** Compiles files of a folder, in which these packages are installed beside ours, by name. */
async function compile(folder, files, packages) {
  const compilerOptions = {
    target: "ES2022",
    lib: ["ES2022", "DOM"],
    module: "NodeNext",
    typeRoots: [path("../../../pkg-template/node_modules/@types")],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true,
    noEmit: true,
  };
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  mkdirSync(join(folder, "node_modules"));
  for (const [name, there] of Object.entries({ redlatch: packageFolder, ...packages })) {
    mkdirSync(dirname(join(folder, "node_modules", name)), { recursive: true });
    symlinkSync(there, join(folder, "node_modules", name));
  }
  const tsc = path("../../../pkg-template/node_modules/typescript/bin/tsc");
  const { status, stdout } = await execute([process.execPath, tsc, "-p", folder]);
  assert.equal(status, 0, stdout);
}
