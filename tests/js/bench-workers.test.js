// Whether the bench still runs: each contender, and each worker of tests/bench with small numbers. What they measure here means nothing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { contestants, open } from "../bench/contenders/index.js";
import { contest } from "../bench/measure/contest.js";
import { samplePairs } from "../bench/measure/pairs.js";
import { benchmarkPairs, hasRedisBenchmark } from "../bench/measure/redis-benchmark.js";
import { sample } from "../bench/measure/sample.js";
import { startRedis } from "./support/redis.js";
import { ALL } from "./support/rights.js";

const start = (scope, count) =>
  Promise.all(Array.from({ length: count }, () => startRedis(scope, { rights: ALL })));

/** A bench whose warm-ups need not be steady. */
const benchOf = (scope) => ({ scope, warmed: (_, result) => result });

/** The figures of `result` that are no numbers. */
const missing = (result, ...keys) => keys.filter((key) => !Number.isFinite(result[key]));

const warm = { slice: 20, span: 1, change: 1, atMost: 0 };

test("every contender locks and unlocks, on one server and on three, one key and several", async (t) => {
  const servers = await start(t, 3);
  const ports = servers.map(({ port }) => port);
  for (const { name, role, several } of contestants()) {
    const contests = [[ports.slice(0, 1), "one"]];
    if (role !== "limit" && name !== "redlatch, fair") contests.push([ports, "three"]);
    if (several) contests.push([ports.slice(0, 1), ["a", "b"]]);
    for (const [where, key] of contests) {
      const { take, close } = await open(name, { ports: where, lanes: 1 });
      await (await take(key))();
      await (await take(key))();
      await close();
    }
  }
});

test("pairs are counted, also when a server hangs", async (t) => {
  const servers = await start(t, 3);
  const [redis] = servers;
  const one = await samplePairs(benchOf(t), [redis], "redlatch", { lanes: 4 }, { ms: 50, warm });
  assert.deepEqual(missing(one, "perSecond", "cpuPerPair", "serverPerPair", "commandsPerPair"), []);
  assert.ok(one.perSecond > 0);
  const hung = { lanes: 4, silent: 50 };
  const rest = await samplePairs(benchOf(t), servers, "redlatch", hung, { ms: 200, warm });
  assert.ok(rest.perSecond >= 0);
  assert.equal(await servers[2].send("PING"), "PONG", "it goes on afterwards");
});

test("a contest gives its gaps, commands and order", async (t) => {
  const [redis] = await start(t, 1);
  const sizes = { gaps: 14, seconds: 5, warm };
  const [result, other] = await contest(t, redis, "redlatch, fair", [8, 3], sizes);
  assert.equal(result.gaps.length, 14);
  assert.equal(other.gaps.length, 14);
  assert.ok(result.exclusive);
  assert.equal(result.overtakings, 0);
  assert.ok(result.perAcquire >= 1 && result.perAcquire < 20);
});

test("waiters are served, locks renewed, and memory is read", async (t) => {
  const [redis] = await start(t, 1);
  const task = (more) => ({ name: "redlatch", port: redis.port, ...more });
  const waiting = await sample(t, "waiting", task({ count: 20, ms: 50, seconds: 10, warm }));
  assert.equal(waiting.served, 20);
  assert.deepEqual(missing(waiting, "clientShare", "serverShare", "usPerServed", "commandsPerServed"), []);
  await redis.send("FLUSHALL");
  const renewals = await sample(t, "renewals", task({ count: 20, lease: 3_000, periods: 1, warm }));
  assert.deepEqual(missing(renewals, "clientShare", "serverShare", "clientUs", "commandsPerSecond"), []);
  for (const of of ["locks", "waiters", "clients"]) {
    await redis.send("FLUSHALL");
    const memory = await sample(t, "memory", task({ of, count: 5, settle: 10 }), { args: ["--expose-gc"] });
    assert.deepEqual(missing(memory, "heap", "external", "rss", "server"), []);
  }
});

test("redis-benchmark gives its rate, where it is installed", {
  skip: !(await hasRedisBenchmark()) && "redis-benchmark is not installed",
}, async (t) => {
  const [redis] = await start(t, 1);
  assert.ok((await benchmarkPairs(redis, 4, 5_000)).perSecond > 0);
});
