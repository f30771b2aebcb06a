// After close() nothing keeps the process alive, and it waits for no server that is gone.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openClient } from "../support/clients.js";
import { measureLateness, settles } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { freePort, startRedis } from "../support/redis.js";

const endings = [
  "idle",
  "held",
  "renewed",
  "waiting",
  "dialling",
  "refused",
  "lost",
  "aborted",
  "twice",
  "using",
];
for (const ending of endings) {
  test(`the process ends by itself after close(): ${ending}`, async (t) => {
    const own = await startRedis(t);
    const proxy = await startProxy(t, { host: "127.0.0.1", port: own.port });
    proxy.deaf = ending === "dialling";
    const url = ending === "refused" ? `redis://127.0.0.1:${await freePort()}` : proxy.url;
    const worker = startWorker(t, new URL("../workers/closer.js", import.meta.url), { url, ending });
    await worker.said((message) => message.closed, 10_000);
    const closed = performance.now();
    const lateness = measureLateness(t);
    const exit = await settles(worker.exit, 5_000, "the end of the process");
    assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
    const took = performance.now() - closed;
    assert.ok(took < 1_000 + lateness(), `${took} ms after close()`);
    assert.deepEqual(worker.output, [], "no warning, no unhandled rejection");
  });
}

test("rule 18: close() ends as soon as a server that is down has refused one more connection", async (t) => {
  const servers = await Promise.all([startRedis(t), startRedis(t), startRedis(t)]);
  const client = openClient(t, servers);
  await client.acquire("before", { ttl: 60_000 });
  await servers[2].stop();
  const lock = await client.acquire("after", { ttl: 60_000 });
  // Its release goes on in the background, for the server that is down.
  await lock.release();
  await client.acquire("held", { ttl: 60_000 });
  const began = performance.now();
  const lateness = measureLateness(t);
  await client.close({ timeout: 20_000 });
  const took = performance.now() - began;
  assert.ok(took < 1_000 + lateness(), `it took ${took} ms`);
  for (const server of servers.slice(0, 2)) {
    assert.equal(await server.send("EXISTS", "lock:before", "lock:after", "lock:held"), 0);
  }
});
