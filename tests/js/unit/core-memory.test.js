// What goes into the core's memory, and that it may grow at any time.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreMemory } from "../../../pkg/dist/core/memory.js";
import { encode } from "../../../pkg/dist/core/utf8.js";

/** A memory whose room begins at `at`; it grows with every request for room when `grows`. */
function memoryOf({ at = 8, grows = false } = {}) {
  const memory = new WebAssembly.Memory({ initial: 1 });
  const asked = [];
  const room = (length) => {
    asked.push(length);
    const missing = at + length - memory.buffer.byteLength;
    if (grows || missing > 0) memory.grow(1 + Math.max(0, Math.ceil(missing / 65_536)));
    return at;
  };
  const there = (length) => Buffer.from(memory.buffer, at, length);
  return { core: new CoreMemory({ room }, memory), memory, asked, there };
}

/** Names as `acquire` takes them. */
function framed(...names) {
  return Buffer.concat(
    names.flatMap((name) => {
      const bytes = encode(name);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(bytes.length);
      return [length, bytes];
    }),
  );
}

const LONG = "x".repeat(70_000);
for (const [keys, token] of [
  [["a"], undefined],
  [["a", "b"], "token"],
  [["\0"], ""],
  [["ä", "€", "😀", "\x7f\x80"], "€"],
  [["\ud83d", "\ude00", "\ud800a", "b\udfff"], "\udc00"],
  [[LONG, `${LONG}ä`], undefined],
]) {
  const title = JSON.stringify([keys, token]).slice(0, 60);
  test(`names are written with their lengths, as UTF-8 that keeps lone surrogates: ${title}`, () => {
    for (const grows of [false, true]) {
      const { core, there } = memoryOf({ grows });
      const expected = framed(...keys, ...(token === undefined ? [] : [token]));
      assert.equal(core.putNames(keys, token), expected.length);
      assert.deepEqual(there(expected.length), expected);
    }
  });
}

test("the room is asked for when it is too small, and then for twice as much", () => {
  const { core, asked, there } = memoryOf();
  for (const length of [1, 1024, 1025, 2048, 5000]) {
    core.put(Buffer.alloc(length, length & 0xff));
    assert.deepEqual(there(length), Buffer.alloc(length, length & 0xff));
  }
  assert.deepEqual(asked, [1024, 2048, 5000]);
});

test("what is read and written is in the memory as it is now, however often it grew", () => {
  const { core, memory, there } = memoryOf();
  core.put(Buffer.from("before"));
  const copy = core.copy(8, 6);
  core.numbers[100] = 1;
  memory.grow(1);
  core.put(Buffer.from("after"));
  assert.equal(there(5).toString(), "after");
  assert.equal(core.numbers[100], 1);
  assert.equal(Buffer.from(core.copy(8, 5)).toString(), "after");
  assert.equal(Buffer.from(copy).toString(), "before");
});
