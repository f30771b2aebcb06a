// Processes that are killed or frozen, as platforms do it, with the packed package installed.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { installedProject } from "./support/tarball.js";

const cwd = await installedProject({ after });
const redis = await startRedis({ after });
const start = (scope, app, more) => startWorker(scope, pathToFileURL(join(cwd, app)), {}, { cwd, more });

/** For polling, and for a machine that is busy: ms. */
const SLACK = 2_000;

test("a leader that is killed is followed by another, within what is left of its lease", async (t) => {
  const candidates = new Map(["a", "b", "c"].map((name) => [name, start(t, "leader.js", [name, redis.url])]));
  const leaders = () => [...candidates.values()].flatMap(({ messages }) => messages);
  await until(() => leaders().length > 0, { within: 20_000 });
  // All of them wait: each has said its name to the server.
  await until(async () => (await redis.send("CLIENT", "LIST")).split("name=redlatch").length - 1 === 3);
  const fences = [];
  for (let terms = 1; terms <= 3; terms += 1) {
    assert.equal(leaders().length, terms, "one leader at a time");
    const { leads, fence } = leaders().find((message) => !fences.includes(message.fence));
    fences.push(fence);
    // Longer than the lease, which is renewed.
    if (terms === 1) await pause(2_000);
    assert.equal(leaders().length, terms, "it leads until it ends");
    const left = await redis.send("PTTL", "lock:leader");
    const killed = performance.now();
    candidates.get(leads).signal("SIGKILL");
    await candidates.get(leads).exit;
    if (terms === 3) break;
    await until(() => leaders().length > terms, { within: 20_000 });
    const took = performance.now() - killed;
    assert.ok(took < left + SLACK, `the lease had ${left} ms left; the next leader came after ${took} ms`);
  }
  assert.deepEqual(fences, [...fences].sort(), "fences grow");
});

for (const [how, die] of [
  ["cut", (proxy) => proxy.cut()],
  ["forgotten without a word", (proxy) => proxy.forget()],
]) {
  test(`rule 17: a function that was frozen, and whose connection was ${how} meanwhile: the next call works`, {
    timeout: 60_000,
  }, async (t) => {
    const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
    const lambda = start(t, "lambda.js", [proxy.url]);
    const { url } = await lambda.said((message) => message.url, 20_000);
    const fences = [];
    for (let calls = 1; calls <= 3; calls += 1) {
      const began = performance.now();
      const { fence, held, ...rest } = await (await settles(fetch(url), 15_000, "the call")).json();
      const took = performance.now() - began;
      assert.equal(held, true, JSON.stringify(rest));
      // A silent connection is noticed after nodeTimeout, which is at most 2 s.
      assert.ok(took < 2_000 + SLACK, `the call took ${took.toFixed(0)} ms`);
      fences.push(Number(fence));
      lambda.signal("SIGSTOP");
      die(proxy);
      await pause(1_500);
      lambda.signal("SIGCONT");
    }
    assert.deepEqual(
      fences,
      fences.toSorted((one, other) => one - other),
      "fences grow",
    );
  });
}
