import binaryen from "binaryen";
import { EXPORTS } from "./glue.mjs";

// A string in which each of the most frequent bytes is one character, and each other byte two, of which the first is one of
// the two last characters. Gzip finds in it what it finds in the wasm; base64 would hide that. All characters are ASCII, and
// none needs an escape in double quotes.
const FIRST = "#".charCodeAt(0);
const LEFT_OUT = "\\".charCodeAt(0);
const CHARACTERS = "~".charCodeAt(0) - FIRST;
const SINGLE = CHARACTERS - 2;

/** Where the string begins in the decoder's memory: behind the table of the bytes by frequency. */
const START = 256;
const PAGE = 65_536;

/**
 * The wasm as a module with strings, which no bundler can lose; `ending` is that of the script, js or cjs. JavaScript that
 * is not compiled yet takes milliseconds for a loop over so many characters, so a small wasm decodes them.
 */
export function inlineModule(bytes, ending) {
  const order = byFrequency(bytes);
  const text = encode(bytes, order);
  const decoder = compileDecoder(order, text.length);
  if (!bytes.equals(decode(text, decoder)))
    throw new Error("the inlined wasm does not decode to what it was");
  const lines = [`  text:\n    "${text}",\n`, `  decoder:\n    "${decoder.toString("base64")}",\n`];
  return `const inlined = {\n${lines.join("")}};\n${EXPORTS[ending](["inlined"])}`;
}

/** All values of a byte; those that are frequent in `bytes` come first. */
function byFrequency(bytes) {
  const counts = new Array(256).fill(0);
  for (const byte of bytes) counts[byte] += 1;
  return [...counts.keys()].sort((a, b) => counts[b] - counts[a]);
}

function encode(bytes, order) {
  const character = (rank) => String.fromCharCode(FIRST + rank + (FIRST + rank >= LEFT_OUT ? 1 : 0));
  const codes = [];
  order.forEach((byte, rank) => {
    const above = rank - SINGLE;
    codes[byte] =
      above < 0
        ? character(rank)
        : character(SINGLE + Math.floor(above / CHARACTERS)) + character(above % CHARACTERS);
  });
  return Array.from(bytes, (byte) => codes[byte]).join("");
}

/** A wasm that decodes a string of this length in place, from START on, and returns where the bytes end. */
function compileDecoder(order, length) {
  const table = order.map((byte) => `\\${byte.toString(16).padStart(2, "0")}`).join("");
  const rank = `(i32.sub
    (i32.sub (local.tee $character (i32.load8_u (local.get $from))) (i32.const ${FIRST}))
    (i32.gt_u (local.get $character) (i32.const ${LEFT_OUT})))`;
  const step = "(local.set $from (i32.add (local.get $from) (i32.const 1)))";
  const module = binaryen.parseText(`(module
    (memory (export "memory") ${Math.ceil((START + length) / PAGE)})
    (data (i32.const 0) "${table}")
    (func (export "decode") (result i32)
      (local $from i32) (local $to i32) (local $character i32) (local $rank i32)
      (local.set $from (i32.const ${START}))
      (local.set $to (i32.const ${START}))
      (loop $next
        (local.set $rank ${rank})
        ${step}
        (if (i32.ge_u (local.get $rank) (i32.const ${SINGLE})) (then
          (local.set $rank (i32.add (i32.const ${SINGLE}) (i32.add ${rank}
            (i32.mul (i32.sub (local.get $rank) (i32.const ${SINGLE})) (i32.const ${CHARACTERS})))))
          ${step}))
        (i32.store8 (local.get $to) (i32.load8_u (local.get $rank)))
        (local.set $to (i32.add (local.get $to) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $from) (i32.const ${START + length}))))
      (local.get $to)))`);
  try {
    if (!module.validate()) throw new Error("the decoder of the inlined wasm is not valid");
    module.optimize();
    return Buffer.from(module.emitBinary());
  } finally {
    module.dispose();
  }
}

/** As src/core/compiling.ts does it. */
function decode(text, decoder) {
  const { memory, decode: run } = new WebAssembly.Instance(new WebAssembly.Module(decoder)).exports;
  const bytes = new Uint8Array(memory.buffer);
  new TextEncoder().encodeInto(text, bytes.subarray(START));
  return bytes.subarray(START, run());
}
