// Which file each kind of program gets, resolved as webpack does it, with the conditions that its tool sets.
import assert from "node:assert/strict";
import * as fs from "node:fs";
import { createRequire } from "node:module";
import { join, relative } from "node:path";
import { test } from "node:test";
import { packageFolder } from "../support/redlatch.js";

const { ResolverFactory } = createRequire(new URL("../../packaging/package.json", import.meta.url))(
  "enhanced-resolve",
);

/** The path of an entry's file below dist/. */
function resolve(entry, conditionNames) {
  const settings = { fileSystem: fs, useSyncFileSystemCalls: true, conditionNames, mainFields: [] };
  const resolver = ResolverFactory.createResolver({ ...settings, exportsFields: ["exports"] });
  // The package's own folder knows it by its name.
  const file = resolver.resolveSync({}, packageFolder, entry);
  return relative(join(packageFolder, "dist"), file);
}

/** By tool: the conditions that it sets, and the file that it must find below entry/, slim/ and memory/. */
const tools = {
  "Node.js, import": [["node", "import"], "node.js", "node.js", "browser.js"],
  "Node.js, require, and Jest": [["node", "require"], "node.cjs", "node.cjs", "browser.cjs"],
  "Deno, import": [["deno", "node", "import"], "node.js", "node.js", "browser.js"],
  "Deno, require": [["deno", "node", "require"], "node.cjs", "node.cjs", "browser.cjs"],
  "Bun, import": [["bun", "node", "import"], "node.js", "node.js", "browser.js"],
  "Bun, require": [["bun", "node", "require"], "node.cjs", "node.cjs", "browser.cjs"],
  "wrangler, import": [["workerd", "worker", "browser", "import"], "workerd.js", "workerd.js", "workerd.js"],
  "wrangler, require": [
    ["workerd", "worker", "browser", "require"],
    "workerd.js",
    "workerd.js",
    "workerd.js",
  ],
  "Next, edge": [["edge-light", "browser", "import"], "edge-light.js", "browser.js", "browser.js"],
  "Next, edge, require": [
    ["edge-light", "browser", "require"],
    "edge-light.js",
    "browser.cjs",
    "browser.cjs",
  ],
  "a page, import": [["browser", "module", "import"], "browser.js", "browser.js", "browser.js"],
  "a page, require, and Jest with jsdom": [
    ["browser", "require"],
    "browser.cjs",
    "browser.cjs",
    "browser.cjs",
  ],
  "a tool that knows Deno only": [["deno", "import"], "node.js", "node.js", "browser.js"],
  "a tool that knows Deno only, require": [["deno", "require"], "node.cjs", "node.cjs", "browser.cjs"],
  "a tool that knows Bun only": [["bun", "import"], "node.js", "node.js", "browser.js"],
  "a tool that knows Bun only, require": [["bun", "require"], "node.cjs", "node.cjs", "browser.cjs"],
  "a tool without conditions": [[], "browser.js", "browser.js", "browser.js"],
  "TypeScript, import": [["types", "node", "import"], "browser.d.ts", "browser.d.ts", "browser.d.ts"],
  "TypeScript, require": [["types", "node", "require"], "browser.d.cts", "browser.d.cts", "browser.d.cts"],
  "TypeScript, for workers": [["types", "workerd", "import"], "browser.d.ts", "browser.d.ts", "browser.d.ts"],
  "TypeScript, for the edge": [["types", "edge-light"], "browser.d.ts", "browser.d.ts", "browser.d.ts"],
};

for (const [tool, [conditions, ...expected]] of Object.entries(tools)) {
  test(`${tool}: the entries are as they should be`, () => {
    const found = ["redlatch", "redlatch/slim", "redlatch/memory"].map((entry) => resolve(entry, conditions));
    assert.deepEqual(found, [
      join("entry", expected[0]),
      join("entry/slim", expected[1]),
      join("entry/memory", expected[2]),
    ]);
  });
}

test("the wasm is one file for all, as it is and as bundlers for the edge ask for it", () => {
  for (const conditions of [["node", "require"], ["edge-light", "import"], []]) {
    assert.equal(resolve("redlatch/core.wasm", conditions), "core.wasm");
    assert.equal(resolve("redlatch/core.wasm?module", conditions), "core.wasm?module");
  }
});

test("every file that the manifest names is named by a tool above, so that none is left without a test", () => {
  const { main, types, typesVersions, exports } = JSON.parse(
    fs.readFileSync(join(packageFolder, "package.json")),
  );
  const targets = (value) => (typeof value === "string" ? [value] : Object.values(value).flatMap(targets));
  const named = new Set(
    targets([main, types, typesVersions, exports]).filter((name) => /ts$|js$/.test(name)),
  );
  for (const [conditions] of Object.values(tools)) {
    for (const entry of ["redlatch", "redlatch/slim", "redlatch/memory"])
      named.delete(`./dist/${resolve(entry, conditions)}`);
  }
  assert.deepEqual([...named], []);
});
