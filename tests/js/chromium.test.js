// The package in real headless Chromium, over the development bridge.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { tests } from "./conformance/run.js";
import { startBridge } from "./support/bridge.js";
import { startChromium } from "./support/chromium.js";
import { freshKey } from "./support/clients.js";
import { resolveExport, unpack } from "./support/packed.js";
import { pageSite } from "./support/page.js";
import { freePort } from "./support/redis.js";
import { setUp } from "./support/set-up.js";
import { startWorld } from "./support/world.js";

const { packed, url, world, bridge, chromium, page } = await setUp(after, async (scope) => {
  const packed = unpack(scope);
  const { url, world, servers, authority } = await startWorld(scope, pageSite(packed, "conformance.js"));
  const env = { NODE_EXTRA_CA_CERTS: authority };
  const bridge = await startBridge(scope, Object.values(servers), { env });
  const chromium = await startChromium(scope);
  const page = await chromium.open(url);
  return { packed, url, world, bridge, chromium, page };
});
const core = `${url}/package/${resolveExport(packed, "redlatch/core.wasm", ["browser"])}`;

test("ready() compiles beforehand", async () => {
  assert.deepEqual(await page.call("ready"), {});
});

test("the conformance tests", async (t) => {
  for (const name of Object.keys(tests)) {
    await t.test(name, async () => {
      assert.equal(await page.call("conformance", name, world, bridge.url), undefined);
    });
  }
});

test("redlatch/slim with a fetched core.wasm", async () => {
  const early = await page.call("early", bridge.url);
  assert.equal(early.name, "TypeError");
  assert.match(early.message, /await ready/);
  const missing = await page.call("slimReady", `${core}.not`);
  assert.equal(missing.code, "LOCK_INTERNAL");
  assert.match(missing.message, /HTTP 404/);
  assert.deepEqual(await page.call("slimReady", core), {});
  assert.deepEqual(await page.call("slimLocks", bridge.url, freshKey()), { value: "released" });
});

test("without a transport, the error in a browser says what to pass", async () => {
  const error = await page.call("withoutTransport");
  assert.equal(error.name, "TypeError");
  assert.match(error.message, /no TCP sockets; use fromWebSocket/);
});

test("the error about a bridge that is down, or whose URL is bad, does not show the URL's token", async () => {
  const host = `127.0.0.1:${await freePort()}`;
  const down = await page.call("locks", `ws://${host}/?token=s3cret`, freshKey());
  assert.equal(down.code, "LOCK_CONNECTION");
  assert.match(down.message, new RegExp(`bridge at ${host} could not be reached`));
  const bad = await page.call("locks", "ws://127.0.0.1:99999/?token=s3cret", freshKey());
  assert.equal(bad.code, "LOCK_CONNECTION");
  assert.match(bad.message, /cannot open a WebSocket to the bridge at 127\.0\.0\.1:99999: SyntaxError/);
  for (const { all } of [down, bad]) assert.doesNotMatch(all, /s3cret/);
});

test("a content security policy that forbids WebAssembly is named", async () => {
  const strict = await chromium.open(`${url}/strict`);
  const outcomes = [
    await strict.call("ready"),
    await strict.call("locks", bridge.url, freshKey()),
    await strict.call("slimReady", core),
  ];
  for (const { name, code, message } of outcomes) {
    assert.equal(name, "InternalError");
    assert.equal(code, "LOCK_INTERNAL");
    assert.match(message, /content security policy.*'wasm-unsafe-eval'/);
  }
});
