// Real processes and servers, broken for some seconds; and that the checker would notice if anything were wrong.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Checker } from "../soak/checker.js";
import { Contender } from "../soak/contender.js";
import { Lane } from "../soak/lane.js";
import { endedEarly, runSoak } from "../soak/run.js";
import { Inspector } from "../soak/single/inspector.js";
import { startServer } from "../soak/single/server.js";
import { single } from "../soak/single/topology.js";
import { until } from "./support/conditions.js";
import { rawClient } from "./support/raw-client.js";

const linux = process.platform === "linux";

test("five runtimes contend while everything around them fails, and no rule is broken", {
  timeout: 120_000,
  skip: !linux,
}, async (t) => {
  const { violations, counts, faults, byRuntime } = await runSoak(t, { seconds: 8, seed: 5, clients: 5 });
  assert.deepEqual(violations, []);
  // Else nothing was put to the test.
  assert.ok(Object.values(faults).reduce((sum, count) => sum + count, 0) >= 40, JSON.stringify(faults));
  assert.equal(Object.keys(byRuntime).length, 5);
  for (const [name, { granted }] of Object.entries(byRuntime))
    assert.ok(granted > 5, `${name}: ${granted} locks`);
  assert.ok(counts.lost > 0 && counts.renewed > 0, JSON.stringify(counts));
});

test("clients that believe in a lock until they release it are detected", {
  timeout: 120_000,
  skip: !linux,
}, async (t) => {
  const { violations, folder } = await runSoak(t, { seconds: 3, seed: 6, clients: 3, credulous: true });
  t.after(() => rmSync(folder, { recursive: true }));
  assert.ok(
    violations.some(({ rule }) => rule === "exclusion"),
    JSON.stringify(violations),
  );
});

test("a server that is killed while it is being started stays down for as long as planned", async (t) => {
  const server = await startServer(t, { group: "redlock", keeps: false });
  const { port } = server.redis;
  const looks = [];
  const look = async () => {
    await pause(300);
    const client = await rawClient({ host: "127.0.0.1", port }).catch((error) => error);
    looks.push(client.code ?? "it is there");
    client.close?.();
  };
  let second;
  await server.restart(async () => {
    await look();
    setImmediate(() => {
      second = server.restart(look);
    });
  });
  await second;
  assert.deepEqual(looks, ["ECONNREFUSED", "ECONNREFUSED"]);
});

/** The rules that a log breaks. `lines`: [client, line] each; `lose(checker, at)`: what a server loses beforehand. */
function broken(lines, lose = () => {}) {
  const checker = new Checker();
  lose(checker);
  for (const [client, line] of lines) checker.hear(client, { lane: "plain", id: 1, ...line });
  for (const client of new Set(lines.map(([client]) => client))) checker.ended(client);
  return checker.violations.map(({ rule }) => rule);
}

const asks = (at, keys = ["a"]) => ({ at, what: "asks", keys, group: "first" });
const granted = (at, until, fence = at) => ({ at, what: "granted", from: at, until, fence: String(fence) });
const releases = (at) => ({ at, what: "releases" });

test("two believers in one key are a violation, in whatever order their logs are read", () => {
  const one = [asks(0), granted(10, 200), releases(150)].map((line) => ["one", line]);
  const other = [asks(5), granted(140, 300), releases(160)].map((line) => ["other", line]);
  assert.deepEqual(broken([...one, ...other]), ["exclusion"]);
  assert.deepEqual(broken([...other, ...one]), ["exclusion"]);
});

test("belief ends with the release, the loss or the end of validity, whichever comes first; death does not end it", () => {
  const other = [asks(5), granted(140, 300)].map((line) => ["other", line]);
  const withOther = (...lines) => broken([...lines.map((line) => ["one", line]), ...other]);
  assert.deepEqual(withOther(asks(0), granted(10, 200), releases(139)), []);
  assert.deepEqual(withOther(asks(0), granted(10, 135), releases(150)), []);
  assert.deepEqual(withOther(asks(0), granted(10, 150), { at: 138, what: "lost" }), []);
  assert.deepEqual(withOther(asks(0), granted(10, 200)), ["exclusion"]);
  assert.deepEqual(withOther(asks(0), granted(10, 100), { at: 90, what: "renewed", until: 190 }), [
    "exclusion",
  ]);
});

test("locks of several keys exclude each other by each of them, and different keys do not", () => {
  const log = (client, keys) => [asks(0, keys), granted(10, 200)].map((line) => [client, line]);
  assert.deepEqual(broken([...log("one", ["a", "b"]), ...log("other", ["b", "c"])]), ["exclusion"]);
  assert.deepEqual(broken([...log("one", ["a"]), ...log("other", ["c"])]), []);
});

test("two believers are excused if a server lost that key in between, and only then", () => {
  const one = [asks(10), granted(20, 200)].map((line) => ["one", line]);
  const other = [asks(10), granted(140, 300)].map((line) => ["other", line]);
  const losing = (group, key, at) => (checker) => checker.losing(group, key, { now: () => at })();
  assert.deepEqual(broken([...one, ...other], losing("first", "a", 100)), []);
  assert.deepEqual(broken([...one, ...other], losing("first", undefined, 100)), []);
  assert.deepEqual(broken([...one, ...other], losing("first", "b", 100)), ["exclusion"]);
  assert.deepEqual(broken([...one, ...other], losing("second", "a", 100)), ["exclusion"]);
  assert.deepEqual(broken([...one, ...other], losing("first", "a", 5)), ["exclusion"]);
  assert.deepEqual(broken([...one, ...other], losing("first", "a", 150)), ["exclusion"]);
  // The second believer was granted the lock before the key was lost, and heard of it late.
  const late = (fence) => [asks(10), granted(140, 300, fence)].map((line) => ["one", line]);
  const early = [asks(120), granted(130, 200, 125)].map((line) => ["other", line]);
  assert.deepEqual(broken([...late(20), ...early], losing("first", "a", 100)), []);
  assert.deepEqual(broken([...late(130), ...early], losing("first", "a", 100)), ["exclusion"]);
  const restart = (checker) => checker.losing("first", undefined, { restarted: true, now: () => 100 })();
  assert.deepEqual(broken([...one, ...other], restart), ["exclusion"]);
});

test("fences that do not grow, losses without a cause and keys that another released are violations", () => {
  const log = (client, ...lines) => lines.map((line) => [client, line]);
  const first = log("one", asks(0), granted(10, 100, 7), releases(50));
  assert.deepEqual(broken([...first, ...log("other", asks(60), granted(70, 200, 7), releases(80))]), [
    "fence",
  ]);
  assert.deepEqual(broken([...first, ...log("other", asks(60), granted(70, 200, 8), releases(80))]), []);
  const lost = (at) => log("one", asks(0), granted(10, 1_000), { at, what: "lost" });
  assert.deepEqual(broken(lost(500)), ["lost without a cause"]);
  assert.deepEqual(broken(lost(980)), []);
  assert.deepEqual(
    broken([["one", asks(0)], ["one", { at: 5, what: "stepped" }], ...lost(500).slice(1)]),
    [],
  );
  const released = (at, outcome) => ({ at, what: "released", outcome });
  const gone = (at, outcome) =>
    broken(log("one", asks(0), granted(10, 1_000), releases(490), released(at, outcome)));
  assert.deepEqual(gone(500, "expired"), ["released by another"]);
  assert.deepEqual(gone(1_000, "expired"), []);
  assert.deepEqual(gone(500, "unknown"), []);
});

/** Runs a lane with this `acquire`, as `after(lane)` says, until it reports a violation; resolves to the broken rule. */
async function complaint(acquire, after = (lane) => lane.run()) {
  const said = [];
  const random = { within: (_, high) => high, chance: () => false, weighted: (choices) => choices.at(-1)[1] };
  const kind = {
    name: "plain",
    group: "first",
    keys: () => ["a"],
    options: () => ({ ttl: 1_000, wait: 50 }),
  };
  const write = (what, more) => said.push({ what, ...more });
  after(new Lane(kind, { acquire }, { random, write, longestLease: 3_000 }));
  const { rule } = await until(() => said.find(({ what }) => what === "wrong"), { what: "the complaint" });
  return rule;
}

/** An acquire that grants `lock` once, and then never settles. */
function once(lock) {
  let asked = 0;
  return () => {
    asked += 1;
    return asked === 1 ? lock : NEVER;
  };
}

const NEVER = new Promise(() => {});

/** A lock whose validity ends after 200 ms, with its faults. */
function lockWith(faults) {
  const end = performance.now() + 200;
  return {
    fence: 1n,
    signal: new AbortController().signal,
    get remaining() {
      return Math.max(end - performance.now(), 0);
    },
    held: false,
    release: async () => "expired",
    ...faults,
  };
}

test("promises that do not settle, and losses that are not reported in time, are violations", {
  skip: !linux,
}, async () => {
  assert.equal(await complaint(once(NEVER)), "settles");
  assert.equal(await complaint(once(lockWith({}))), "loss reported in time");
  const lost = () => ({ signal: AbortSignal.timeout(50) });
  assert.equal(await complaint(once(lockWith({ ...lost(), held: true }))), "loss is for good");
  assert.equal(await complaint(once(lockWith({ held: true }))), "release is for good");
  const revived = { ...lost(), release: async () => "released" };
  assert.equal(await complaint(once(lockWith(revived))), "loss is for good");
  const dead = { signal: AbortSignal.abort(), held: true };
  assert.equal(await complaint(once(lockWith(dead))), "loss is for good");
  assert.equal(await complaint(once(lockWith({ ...lost(), release: () => NEVER }))), "settles");
});

test("a lane that gets no lock after the last fault is a violation", {
  skip: !linux,
}, async () => {
  const refuse = () => Promise.reject(Object.assign(new Error("held"), { code: "LOCK_TIMEOUT" }));
  assert.equal(await complaint(refuse, (lane) => lane.finish()), "recovery");
});

test("a clock that has gone astray is a violation", () => {
  const finished = (astray) => broken([["one", { at: 10, what: "finished", astray }]]);
  assert.deepEqual(finished(-5), ["clock"]);
  assert.deepEqual(finished(0.5), []);
});

test("keys that never expire, leases that are too long, and locks that are left are found on servers", async (t) => {
  const server = await startServer(t, { group: "first", keeps: false });
  const checker = new Checker();
  const inspector = new Inspector([server], checker);
  assert.deepEqual(await inspector.left(), []);
  await server.redis.send("SET", "lock:left", "x", "PX", 3_000);
  await server.redis.send("SET", "lock:redlatch:fence", "1", "PX", 3_600_000);
  await inspector.look();
  assert.deepEqual(checker.violations, []);
  assert.deepEqual(await inspector.left(), ["lock:left"]);
  await server.redis.send("SET", "lock:long", "x", "PX", 60_000);
  await server.redis.send("PERSIST", "lock:redlatch:fence");
  await inspector.look();
  assert.deepEqual(checker.violations.map(({ rule, text }) => `${rule}: ${text.split(" ")[0]}`).sort(), [
    "expiry: lock:long",
    "expiry: lock:redlatch:fence",
  ]);
});

test("a client that ends by itself is a violation", {
  skip: !linux,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-soak-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const runtime = { name: "node", command: process.execPath, args: [] };
  const input = { lanes: single.lanes, options: { first: { url: "nonsense" } }, seed: 1 };
  const client = new Contender(t, { runtime, index: 0, folder, input });
  client.start();
  await until(() => client.ended, { within: 20_000, what: "its end" });
  const checker = new Checker();
  endedEarly(client, checker);
  assert.deepEqual(
    checker.violations.map(({ rule }) => rule),
    ["client ended"],
  );
  assert.match(checker.violations[0].text, /not a server URL/);
});
