// redlatch/slim, which is given its wasm: what it takes, and how it refuses anything else.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { rejection } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { packageFolder } from "../support/redlatch.js";

const require = createRequire(join(packageFolder, "package.json"));
const entry = pathToFileURL(join(packageFolder, "dist/entry/slim/node.js")).href;
const wasm = readFileSync(require.resolve("redlatch/core.wasm"));
const redis = await startRedis({ after });

let copies = 0;
/** A copy of the package of its own, which has no wasm yet: the modules between are the same. */
function fresh() {
  copies += 1;
  return import(`${entry}?copy=${copies}`);
}

const buffer = wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength);
const sources = {
  "a module": () => new WebAssembly.Module(wasm),
  "a module of another realm": () => vm.runInNewContext("new WebAssembly.Module(bytes)", { bytes: wasm }),
  "bytes in a Buffer, which is part of a larger one": () =>
    Buffer.concat([Buffer.alloc(3), wasm]).subarray(3),
  "an ArrayBuffer": () => buffer,
  "a DataView": () => new DataView(buffer),
  "bytes of another realm": () => vm.runInNewContext("Uint8Array.from(bytes)", { bytes: [...wasm] }),
  "a Response": () => new Response(wasm, { headers: { "content-type": "application/wasm" } }),
  "a Response of an unknown type": () => new Response(wasm),
  "a promise of a Response, as fetch gives it": async () => new Response(wasm),
};
for (const [what, make] of Object.entries(sources)) {
  test(`${what} is taken, and a lock works`, async (t) => {
    const { createClient, ready } = await fresh();
    assert.equal(await ready(make()), undefined);
    const client = createClient(redis.url);
    t.after(() => client.close());
    const lock = await client.acquire("slim");
    assert.equal(await lock.release(), "released");
  });
}

test("before ready(), createClient says what is missing", async () => {
  const { createClient, ready } = await fresh();
  const expected = { name: "TypeError", message: /await ready\(/ };
  assert.throws(() => createClient(redis.url), expected);
  const pending = ready(wasm);
  assert.throws(() => createClient(redis.url), expected);
  await pending;
  await createClient(redis.url).close();
});

/** The wasm with the section of another version in place of its own. */
function ofVersion(version) {
  const own = Buffer.from("redlatch");
  const start = wasm.lastIndexOf(own) - 3;
  const content = Buffer.concat([Buffer.of(own.length), own, Buffer.from(version)]);
  return Buffer.concat([wasm.subarray(0, start), Buffer.of(0, content.length), content]);
}

const EMPTY = Buffer.from("0061736d01000000", "hex");
const page = "<!doctype html>";
const refused = {
  "no argument": [() => undefined, "TypeError", /ready: expected a WebAssembly\.Module/],
  null: [() => null, "TypeError", /ready: expected a WebAssembly\.Module/],
  "a path": [() => "core.wasm", "TypeError", /ready: expected a WebAssembly\.Module/],
  "an object of something else": [
    () => ({ default: wasm }),
    "TypeError",
    /ready: expected a WebAssembly\.Module/,
  ],
  "bytes of something else": [() => new Uint8Array(64), "TypeError", /not WebAssembly.*core\.wasm/],
  "no bytes": [() => new Uint8Array(0), "TypeError", /not WebAssembly.*core\.wasm/],
  "a web page in place of the file": [() => new Response(page), "TypeError", /not WebAssembly.*core\.wasm/],
  "a Response that says no": [() => new Response(page, { status: 404 }), "InternalError", /HTTP 404/],
  "a fetch that failed": [
    () => Promise.reject(new TypeError("fetch failed")),
    "InternalError",
    /could not be fetched/,
  ],
  "a Response that breaks off": [
    () => new Response(new ReadableStream({ start: (stream) => stream.error(new Error("reset")) })),
    "InternalError",
    /could not be fetched/,
  ],
  "half of the file": [() => wasm.subarray(0, wasm.length >> 1), "InternalError", /refused to compile/],
  "another program": [() => EMPTY, "TypeError", /not redlatch\/core\.wasm/],
  "a module of another program": [
    () => new WebAssembly.Module(EMPTY),
    "TypeError",
    /not redlatch\/core\.wasm/,
  ],
  "the wasm of another version": [
    () => ofVersion("99.0.1"),
    "TypeError",
    /redlatch 99\.0\.1, but this package is redlatch \d/,
  ],
};
for (const [what, [make, name, message]] of Object.entries(refused)) {
  test(`${what} is refused by name, and the right one is taken afterwards`, async () => {
    const { createClient, ready } = await fresh();
    const error = await rejection(ready(make()));
    assert.equal(error.name, name);
    assert.match(error.message, message);
    assert.throws(() => createClient(redis.url), /await ready\(/);
    await ready(wasm);
    await createClient(redis.url).close();
  });
}

test("a wrong core after the right one changes nothing", async () => {
  const { createClient, ready } = await fresh();
  await ready(wasm);
  await rejection(ready(EMPTY));
  const client = createClient(redis.url);
  assert.notEqual(await client.tryAcquire("after"), null);
  await client.close();
});
