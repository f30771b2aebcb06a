// close(): releases what is held, settles what is waiting, closes the sockets, and lets the process end.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { freePort, startRedis } from "../support/redis.js";
import { ClosedError, createClient } from "../support/redlatch.js";

const redis = await startRedis({ after });
const clientsOf = async (server) =>
  (await server.send("CLIENT", "LIST")).split("\n").filter((line) => /name=redlatch/.test(line)).length;

test("what is held is released, and the connection is gone", async (t) => {
  const own = await startRedis(t);
  const client = createClient(own.url);
  const keys = [freshKey(), freshKey(), freshKey()];
  const locks = await Promise.all(keys.map((key) => client.acquire(key, { renew: true })));
  assert.equal(await clientsOf(own), 1);
  await settles(client.close(), 2_000, "close()");
  assert.equal(await own.send("EXISTS", ...keys.map((key) => `lock:${key}`)), 0);
  assert.deepEqual(
    locks.map((lock) => lock.held),
    [false, false, false],
  );
  await until(async () => (await clientsOf(own)) === 0, { what: "the end of the connection" });
  assert.match(await settles(locks[0].release(), 1_000), /^(released|expired|unknown)$/);
});

test("waiting acquires reject with ClosedError and leave nothing behind", async (t) => {
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const client = createClient(redis.url);
  const waiting = rejection(client.acquire(key, { wait: Infinity }));
  const inFlight = rejection(client.acquire(freshKey(), { wait: 0 }));
  await settles(client.close(), 2_000, "close()");
  assertLockError(await waiting, { type: ClosedError, code: "LOCK_CLOSED" });
  assertLockError(await inFlight, { type: ClosedError, code: "LOCK_CLOSED" });
  assert.equal(await redis.send("GET", `lock:${key}`), holder.token);
  await holder.release();
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
});

test("every verb of a closed client rejects with ClosedError", async () => {
  const client = createClient(redis.url);
  const lock = await client.acquire(freshKey());
  await client.close();
  for (const call of [
    () => client.acquire("k"),
    () => client.tryAcquire("k"),
    () => client.using("k", () => assert.fail("the body ran")),
  ]) {
    assertLockError(await rejection(call()), { type: ClosedError, code: "LOCK_CLOSED" });
  }
  assert.match((await rejection(lock.extend())).code, /^LOCK_(CLOSED|LOST)$/);
  assert.equal(await lock.verify(), false, "close() has released it");
});

test("close is idempotent, and fine for a client that was never used", async () => {
  const client = createClient(redis.url);
  await Promise.all([client.close(), client.close()]);
  await client.close({ timeout: 10 });
  const disposed = createClient(redis.url);
  await disposed[Symbol.asyncDispose]();
  assert.ok((await rejection(disposed.acquire("k"))) instanceof ClosedError);
});

test("a silent server delays close by its timeout and no longer", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const client = createClient(proxy.url);
  await client.acquire(freshKey(), { ttl: 1_000 });
  proxy.deaf = true;
  const started = performance.now();
  await settles(client.close({ timeout: 300 }), 3_000, "close()");
  assert.ok(performance.now() - started < 1_000);
});

test("close refuses a bad timeout", async (t) => {
  const client = openClient(t, redis);
  for (const timeout of [-1, NaN, "5s", null]) {
    const error = await rejection(client.close({ timeout }));
    assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
    assert.match(error.message, /timeout/);
  }
});

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
    const exit = await settles(worker.exit, 5_000, "the end of the process");
    assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
    assert.ok(performance.now() - closed < 1_000, `${performance.now() - closed} ms after close()`);
    assert.deepEqual(worker.output, [], "no warning, no unhandled rejection");
  });
}
