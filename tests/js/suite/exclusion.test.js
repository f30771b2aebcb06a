// Two clients never hold one key at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";

const PROCESSES = 8;
const ROUNDS = 250;

test("8 processes, 2000 contended rounds: no update is lost and every fence is greater than the one before", {
  timeout: 90_000,
}, async (t) => {
  const redis = await startRedis(t);
  await redis.send("SET", "counter", 0);
  const script = new URL("../workers/contender.js", import.meta.url);
  const workers = Array.from({ length: PROCESSES }, () =>
    startWorker(t, script, { port: redis.port, key: "contended", rounds: ROUNDS }),
  );
  await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 20_000)));
  await redis.send("RPUSH", "start", ...Array(PROCESSES).fill("go"));

  await Promise.all(workers.map((worker) => worker.said((message) => message.done, 80_000)));
  for (const worker of workers) {
    assert.deepEqual(
      worker.messages.filter((message) => message.problem),
      [],
    );
    assert.deepEqual(await worker.exit, { code: 0, signal: null }, worker.output.join("\n"));
  }
  assert.equal(Number(await redis.send("GET", "counter")), PROCESSES * ROUNDS);

  const holders = (await redis.send("LRANGE", "holders", 0, -1)).map((entry) => entry.split(" "));
  assert.equal(holders.length, PROCESSES * ROUNDS);
  let handOvers = 0;
  for (let at = 1; at < holders.length; at += 1) {
    const [[oldPid, oldFence], [pid, fence]] = [holders[at - 1], holders[at]];
    assert.ok(BigInt(fence) > BigInt(oldFence), `fence ${at}: ${fence} after ${oldFence}`);
    if (pid !== oldPid) handOvers += 1;
  }
  assert.ok(handOvers > holders.length / 2, `the lock went from hand to hand (${handOvers} times)`);
});
