// Every claim of the guarantees page names tests, and these exist.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { test } from "node:test";

const PAGE = new URL("../../www/guide/guarantees.md", import.meta.url);
/** [file](path) "name", "name" */
const REFERENCE = /\[([^\]]+)\]\(([^)]+)\) ("[^"]+"(?:, "[^"]+")*)/g;

/** The items with a dash, each up to the next one or an empty line: { claim, tests: what follows "Tests:" }. */
const items = readFileSync(PAGE, "utf8")
  .split(/\n(?=- )|\n\n/)
  .filter((block) => block.startsWith("- "))
  .map((block) => {
    const [claim, tests = ""] = block.split("\n  Tests: ");
    return { claim, tests };
  });

function has(path, name) {
  const source = readFileSync(new URL(path, PAGE), "utf8");
  // A function, or a line of the list that a macro makes functions of.
  if (path.endsWith(".rs")) return new RegExp(`\\bfn ${name}\\(|^ {4}${name}$`, "m").test(source);
  return ['"', "`"].some((quote) => source.includes(quote + name + quote));
}

test("every claim of the guarantees page names tests, and nothing but tests", () => {
  assert.ok(items.length > 30, `only ${items.length} claims were found`);
  for (const { claim, tests } of items) {
    assert.notEqual(tests.match(REFERENCE), null, claim);
    assert.match(tests.replace(REFERENCE, ""), /^[;.\s]*$/, claim);
  }
});

test("every test that the guarantees page names exists", () => {
  for (const { tests } of items) {
    for (const [, file, path, names] of tests.matchAll(REFERENCE)) {
      assert.equal(basename(file), basename(path), "the link leads to what it is called by");
      for (const [, name] of names.matchAll(/"([^"]+)"/g)) assert.ok(has(path, name), `${path}: ${name}`);
    }
  }
  assert.equal(has("../../tests/js/limits.test.js", "no such test"), false);
  assert.equal(has("../../tests/engine/extend_verify.rs", "no_such_test"), false);
});
