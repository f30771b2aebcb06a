// The conformance tests on a runtime that has sockets: Node.js, Deno and Bun. workerd.test.js, chromium.test.js and
// websocket.test.js run the same ones.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import * as redlatch from "redlatch";
import { run, tests } from "./conformance/run.js";
import { setUp } from "./support/set-up.js";
import { startWorld } from "./support/world.js";

const { world, authority } = await setUp(after, startWorld);
const tls = { ca: readFileSync(authority, "utf8") };
const optionsFor = (urls) => (urls.some((url) => url.startsWith("rediss:")) ? { tls } : {});

for (const name of Object.keys(tests)) {
  test(name, async () => assert.equal(await run(name, redlatch, world, optionsFor), undefined));
}
