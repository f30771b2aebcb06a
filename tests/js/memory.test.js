// 100 000 cycles in one process leave no trace in it: memory-soak.js runs them, and a million when asked to.
import assert from "node:assert/strict";
import { test } from "node:test";
import { settles } from "./support/conditions.js";
import { startWorker } from "./support/processes.js";
import { startRedis } from "./support/redis.js";
import { assertAllExpire, keysLeft } from "./support/server-state.js";

const CYCLES = 100_000;

test("memory of heap and wasm is back at its baseline, and no timer, lock or subscription is left", {
  timeout: 120_000,
}, async (t) => {
  const redis = await startRedis(t);
  const worker = startWorker(t, new URL("memory-soak.js", import.meta.url), undefined, {
    args: ["--expose-gc"],
    more: [`--cycles=${CYCLES}`, `--port=${redis.port}`],
  });
  const { problems } = await worker.said((message) => message.problems, 100_000);
  assert.deepEqual(problems, []);
  assert.deepEqual(await settles(worker.exit, 5_000), { code: 0, signal: null }, worker.output.join("\n"));
  assert.deepEqual(await keysLeft(redis, "lock:*"), []);
  assert.deepEqual(await redis.send("PUBSUB", "CHANNELS", "*"), []);
  await assertAllExpire(redis);
});
