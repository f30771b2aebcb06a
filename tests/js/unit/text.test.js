import assert from "node:assert/strict";
import { test } from "node:test";
import { encode } from "../../../pkg/dist/core/utf8.js";

const hex = (text) => Buffer.from(encode(text)).toString("hex");

test("well-formed text is UTF-8", () => {
  for (const text of ["", "a", "ä€😀", "\0", "{x}"])
    assert.equal(hex(text), Buffer.from(text).toString("hex"));
});

test("lone surrogates stay distinct, and the rest of the text is UTF-8", () => {
  assert.equal(hex("\ud800"), "eda080");
  assert.equal(hex("\udfff"), "edbfbf");
  assert.equal(hex("ä\udc00😀\ud83d"), "c3a4edb080f09f9880eda0bd");
  assert.notEqual(hex("\ud800"), hex("\ud801"));
  assert.notEqual(hex("\udc00\ud800"), hex("\ud800\udc00"));
});
