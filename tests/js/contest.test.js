// A lock that is taken in one runtime excludes all others.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startContest } from "./support/arena.js";
import { settles } from "./support/conditions.js";
import { startRedis } from "./support/redis.js";

const ROUNDS = 60;

test("Node.js, Deno, Bun, workerd and Chromium contend for one lock: no update is lost", {
  timeout: 120_000,
}, async (t) => {
  const redis = await startRedis(t);
  const races = [
    { name: "without", locked: false },
    { name: "with", locked: true },
  ];
  const { names, results, done } = await startContest(t, redis, { rounds: ROUNDS, races });
  await settles(done, 100_000, "the contest");

  const total = names.length * ROUNDS;
  assert.equal(names.length, 5);
  for (const { writes } of results.values()) assert.equal(writes.length, total);
  // Else the lock would have had nothing to do.
  assert.ok(results.get("without").value < total, "without a lock, updates are lost");

  const { value, writes } = results.get("with");
  assert.equal(value, total);
  let handOvers = 0;
  for (let at = 1; at < total; at += 1) {
    const [before, after] = [writes[at - 1], writes[at]];
    assert.ok(BigInt(after.fence) > BigInt(before.fence), `${after.contestant} after ${before.contestant}`);
    if (after.contestant !== before.contestant) handOvers += 1;
  }
  assert.ok(handOvers > total / 4, `the lock went from runtime to runtime ${handOvers} times`);
});
