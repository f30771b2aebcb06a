// The package in workerd: the conformance tests, and what is specific to workerd.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { tests } from "./conformance/run.js";
import { freshKey } from "./support/clients.js";
import { until } from "./support/conditions.js";
import { hasIPv6, startRedis } from "./support/redis.js";
import { derivedKey, keysLeft } from "./support/server-state.js";
import { setUp } from "./support/set-up.js";
import { conformance, startWorkerd } from "./support/workerd.js";
import { startWorld } from "./support/world.js";

const { servers, send, workerd } = await setUp(after, async (scope) => {
  const { world, servers, authority, send } = await startWorld(scope);
  const workerd = await startWorkerd(scope, "conformance-worker.js", {
    imports: conformance,
    env: { NODE_EXTRA_CA_CERTS: authority },
    bindings: { WORLD: world },
    durableObjects: { HOLDER: "Holder" },
  });
  return { servers, send, workerd };
});
const ask = (verb, given, options) =>
  workerd.ask(`/${verb}?given=${encodeURIComponent(JSON.stringify(given))}`, options);

test("the conformance tests, each in a request", async (t) => {
  for (const name of Object.keys(tests)) {
    await t.test(name, async () => assert.equal((await ask("conformance", { name })).problem, undefined));
  }
});

test("a client in a Durable Object holds and renews a lock from request to request", async () => {
  const given = { url: servers.main, key: freshKey() };
  const key = `lock:${given.key}`;
  assert.deepEqual(await ask("holder/acquire", given), { held: true, lost: false });
  const token = await send("GET", key);
  // Two leases of 2 s, during which nobody asks the object anything.
  for (const end = Date.now() + 4_200; Date.now() < end; await pause(50)) {
    assert.equal(await send("GET", key), token);
  }
  assert.deepEqual(await ask("holder/state", given), { held: true, lost: false });
  assert.deepEqual(await ask("holder/release", given), { outcome: "released" });
  assert.equal(await send("EXISTS", key), 0);
});

test("clean-up under waitUntil outlives the response", async () => {
  const given = { url: servers.main, key: freshKey() };
  const { token } = await ask("waitUntil", given);
  assert.match(token, /\w/);
  await until(async () => (await send("EXISTS", `lock:${given.key}`)) === 0, { what: "the release" });
});

test("redlatch/slim with redlatch/core.wasm", async () => {
  const { refusal, outcome } = await ask("slim", { url: servers.main, key: freshKey() });
  assert.equal(refusal.name, "TypeError");
  assert.match(refusal.message, /await ready/);
  assert.equal(outcome, "released");
});

test("redlatch/memory", async (t) => {
  const worker = await startWorkerd(t, "memory-worker.js", {});
  assert.deepEqual(await worker.ask("/"), { refused: true, key: "lock:job", outcome: "released" });
});

test("what workerd's sockets cannot do is refused at once", async () => {
  const [unix, ca, servername] = await ask("refused", { urls: ["unix:///run/redis.sock"] });
  for (const error of [unix, ca, servername]) assert.equal(error.name, "TypeError");
  assert.match(unix.message, /^url: workerd has no unix sockets/);
  assert.match(ca.message, /tls\.ca is not supported in workerd/);
  assert.match(servername.message, /tls\.servername is not supported in workerd/);
});

test("errors say what may be wrong, where workerd does not", async () => {
  const failure = (url) => ask("failure", { url, key: freshKey() });
  const down = await failure(servers.down);
  assert.equal(down.code, "LOCK_CONNECTION");
  assert.equal(`redis://${down.node}`, servers.down);
  assert.match(down.message, /is a server listening there/);
  const other = await failure(servers.tlsOfAnother);
  assert.equal(other.code, "LOCK_CONNECTION");
  assert.match(other.message, /certificate for this host from an authority that the platform trusts/);
});

test("a client may be made in global scope, where nothing happens yet", async () => {
  const error = await ask("early", { key: freshKey() });
  assert.equal(error.code, "LOCK_CONNECTION");
});

test("an IPv6 address", { skip: (await hasIPv6()) ? false : "this machine has no ::1" }, async (t) => {
  const redis = await startRedis(t, { config: { bind: ["127.0.0.1", "::1"] } });
  const given = { url: `redis://[::1]:${redis.port}`, key: freshKey() };
  assert.deepEqual(await ask("failure", given), { none: true });
});

const shared = (name) => {
  const key = freshKey();
  return (verb, given = {}, options = {}) =>
    ask("shared", { url: servers.main, name, key, verb, ...given }, options);
};

test("rule 18: a client of the module's scope works in one request after the other", async () => {
  const request = shared("one after the other");
  for (let count = 0; count < 3; count += 1) {
    assert.equal((await request("cycle")).result, "released");
  }
  assert.equal((await request("acquire")).none, true);
  const verified = await request("verify");
  assert.equal(verified.result, true, verified.message);
  assert.equal((await request("release")).result, "released");
  await request("acquire", { options: { ttl: 60_000 } });
  assert.equal((await request("close")).none, true);
});

test("rule 18: a client that another request uses says what to do, at once, and that request goes on", async () => {
  const request = shared("at the same time");
  const using = request("using", { options: {} });
  await until(async () => (await keysLeft({ send }, "lock:*")).length > 0, { what: "the lock" });
  const refused = await request("cycle", { key: freshKey() });
  assert.equal(refused.code, "LOCK_CONNECTION");
  assert.match(refused.message, /createClient in each request.*Durable Object/);
  assert.ok(refused.took < 500, `${refused.took} ms`);
  assert.equal((await using).none, true);
  assert.equal((await request("cycle")).result, "released");
});

test("rule 18: a renewed lock that an earlier request left behind blocks its client until it is lost", async () => {
  const request = shared("left behind");
  await request("acquire", { options: { ttl: 1_500, renew: true } });
  assert.match((await request("cycle", { key: freshKey() })).message, /createClient in each request/);
  await until(async () => (await request("cycle", { key: freshKey() })).result === "released", {
    what: "a client that works again",
  });
});

for (const [how, leave] of [
  ["has been answered", async (request, given) => assert.equal((await request("leave", given)).none, true)],
  [
    "was cancelled",
    async (request, given) => {
      const controller = new AbortController();
      const asking = request("acquire", given, { signal: controller.signal });
      const waiters = derivedKey("waiters", `lock:${given.key}`, "lock:");
      await until(async () => (await send("EXISTS", waiters)) === 1, { what: "the waiter" });
      controller.abort();
      await assert.rejects(asking, { name: "AbortError" });
    },
  ],
]) {
  test(`rule 18: an acquire of a request that ${how} blocks its client until its wait is over`, async () => {
    const request = shared(`an acquire of a request that ${how}`);
    const key = freshKey();
    await send("SET", `lock:${key}`, "another", "PX", 60_000);
    const wait = 1_500;
    await leave(request, { key, options: { wait } });
    assert.match((await request("cycle")).message, /createClient in each request/);
    await pause(wait + 50);
    const { result, message } = await request("cycle");
    assert.equal(result, "released", `the first request after that is served: ${message}`);
  });
}
