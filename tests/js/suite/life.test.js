// What is owed keeps the process alive; an open, idle connection does not.
import assert from "node:assert/strict";
import { test } from "node:test";
import { openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { startRestEndpoint } from "../support/rest-endpoint.js";
import { steeredClock } from "../support/steered-clock.js";

const start = (t, given) => startWorker(t, new URL("../workers/survivor.js", import.meta.url), given);

async function ends(worker, within = 5_000) {
  const exit = await settles(worker.exit, within, "the end of the process");
  assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
  assert.deepEqual(worker.output, [], "no warning, no unhandled rejection");
}

const isTaken = async (redis) => (await redis.send("EXISTS", "lock:k")) === 1;

const free = [
  "using",
  "denied",
  "held",
  "timed out",
  "aborted",
  "renewed and released",
  "asked",
  "watched and released",
];
for (const task of free) {
  test(`rule 18: a program that never closes its client ends: ${task}`, async (t) => {
    const redis = await startRedis(t);
    const worker = start(t, { url: redis.url, task });
    await worker.said((message) => message.done, 10_000);
    const done = performance.now();
    await ends(worker);
    assert.ok(performance.now() - done < 2_000, `${performance.now() - done} ms after its last line`);
  });
}

test("rule 18: a renewed lock keeps the process alive, until it is lost", async (t) => {
  const redis = await startRedis(t);
  const worker = start(t, { url: redis.url, task: "renewed", ttl: 1_000 });
  await worker.said((message) => message.done, 10_000);
  for (const end = performance.now() + 2_500; performance.now() < end; ) {
    assert.ok(await until(() => isTaken(redis), { within: 1, what: "the renewed lock" }));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await redis.send("DEL", "lock:k");
  await ends(worker);
});

test("rule 18: a lock whose signal was looked at keeps the process alive until the signal aborts", async (t) => {
  const redis = await startRedis(t);
  const worker = start(t, { url: redis.url, task: "watched" });
  await worker.said((message) => message.lost === "LOCK_LOST", 10_000);
  await ends(worker);
});

test("rule 18: a waiting acquire keeps the process alive, though its connection is cut", async (t) => {
  const redis = await startRedis(t);
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  await redis.send("SET", "lock:k", "another", "PX", 60_000);
  const worker = start(t, { url: proxy.url, task: "waiting" });
  await worker.said((message) => message.done, 10_000);
  proxy.cut();
  await until(() => proxy.connections === 2, { what: "the next connection" });
  await redis.send("DEL", "lock:k");
  await worker.said((message) => message.fence !== undefined);
  await ends(worker);
});

for (const carrier of ["tcp", "REST"]) {
  test(`rule 18: a leader over ${carrier} with nothing else to do leads until it loses the lock`, async (t) => {
    const redis = await startRedis(t);
    const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
    const given = { task: "leader", ttl: 2_000, url: proxy.url };
    let cut = () => proxy.cut();
    let silence = () => (proxy.deaf = true);
    if (carrier === "REST") {
      const endpoint = await startRestEndpoint(t, redis);
      given.rest = { url: endpoint.url, token: endpoint.token };
      const broken = (once) => (_body, response) => {
        if (once) endpoint.interfere = () => false;
        response.destroy();
        return true;
      };
      cut = () => (endpoint.interfere = broken(true));
      silence = () => (endpoint.interfere = broken(false));
    }
    const worker = start(t, given);
    await worker.said((message) => message.leading, 10_000);
    cut();
    // Two leases, of which the second would have ended without renewals after the cut.
    for (const end = performance.now() + 4_000; performance.now() < end; ) {
      assert.ok(await isTaken(redis), "renewed after the cut");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    silence();
    const silent = performance.now();
    await worker.said((message) => message.lost === "LOCK_LOST");
    assert.ok(performance.now() - silent < 2_500, `${performance.now() - silent} ms`);
    await ends(worker);
  });
}

test("rule 18: an idle connection is closed after five minutes, and made again on demand", async (t) => {
  const redis = await startRedis(t);
  const clock = steeredClock();
  const client = openClient(t, redis, { clock });
  const connections = async () => (await redis.send("CLIENT", "LIST")).match(/ name=redlatch/g)?.length ?? 0;
  const lock = await client.acquire("k", { ttl: 3_600_000 });
  await clock.advance(299_000);
  assert.equal(await connections(), 1);
  // And a last look at the socket.
  await clock.advance(1_001);
  await until(async () => (await connections()) === 0, { what: "the end of the connection" });
  assert.equal(lock.held, true);
  assert.equal(await settles(lock.release()), "released");
  assert.equal(await connections(), 1);
});
