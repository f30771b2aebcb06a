// The numbers that cross the boundary are listed twice, once in each language: the lists must agree.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import * as wire from "../../../pkg/dist/core/wire.js";

const rust = readFileSync(new URL("../../../src/wasm/wire.rs", import.meta.url), "utf8");

/** A name as both languages write it: `OPERATION_FAILED`, `OperationFailed` and `operationFailed` are one. */
const plain = (name) => name.replaceAll("_", "").toLowerCase();

/** The lists of wire.rs by name: of a module its constants, of a function its match arms. */
function lists() {
  const blocks = rust.matchAll(/^pub(?:\(super\))? (?:mod|const fn) (\w+)[^{]*\{\n([\s\S]*?)^\}/gm);
  return Array.from(blocks, ([, name, body]) => {
    const entries = body.matchAll(/(\w+)(?:\([^)]*\))?(?:: \w+)? =>? (\d+)(?:\.0)?[,;]/g);
    return [name, Object.fromEntries(Array.from(entries, ([, key, value]) => [plain(key), Number(value)]))];
  });
}

/** By the name in wire.rs. */
const TYPESCRIPT = {
  kind: wire.KIND,
  flag: wire.FLAG,
  code: wire.CODE,
  cause: wire.CAUSE,
  obstacle: wire.OBSTACLE,
  vote: wire.VOTE,
  loss: wire.LOSS,
  outcome: wire.RELEASE_OUTCOME,
};

test("every list of wire.rs is a list of wire.ts, with the same names and numbers", () => {
  const found = Object.fromEntries(lists());
  assert.deepEqual(Object.keys(found).sort(), Object.keys(TYPESCRIPT).sort());
  for (const [name, list] of Object.entries(TYPESCRIPT)) {
    const expected = Object.fromEntries(Object.entries(list).map(([key, value]) => [plain(key), value]));
    assert.deepEqual(found[name], expected, name);
    assert.equal(new Set(Object.values(list)).size, Object.keys(list).length, `${name}: no number twice`);
  }
});

test("records have the same length on both sides", () => {
  const length = /^pub const RECORD_LENGTH: usize = (\d+);/m.exec(rust)?.[1];
  assert.equal(Number(length), wire.RECORD_LENGTH);
});
