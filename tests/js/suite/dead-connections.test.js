// A connection that died while nobody looked costs one silent repetition (rule 17).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";

const redis = await startRedis({ after });
const target = { host: "127.0.0.1", port: redis.port };
/** As a program without the option has it. */
const defaults = { nodeTimeout: undefined };
const TTL = 4_000;
/** A quarter of the lease, a dial and what a busy machine adds. */
const RECOVERY = TTL / 4 + 1_500;

/** How connections die: before the next command arrives, or as it is written. */
const deaths = {
  "is reset at the next write": (proxy) => {
    const number = proxy.connections;
    proxy.tap = (stage, _, connection) => {
      if (stage === "asked" && connection <= number) proxy.cut();
    };
  },
  "is forgotten without a word": (proxy) => proxy.forget(),
  "is cut as the command is written": (proxy) => {
    setImmediate(() => proxy.cut());
  },
};

for (const [name, die] of Object.entries(deaths)) {
  test(`rule 17: try, extend, verify and release on a connection that ${name}`, {
    timeout: 60_000,
  }, async (t) => {
    const proxy = await startProxy(t, target);
    const client = openClient(t, proxy, defaults);
    await (await client.acquire(freshKey(), { ttl: TTL })).release();
    /** The result of an operation during which the connection dies. */
    const through = async (operation) => {
      die(proxy);
      const began = performance.now();
      const result = await operation();
      const took = performance.now() - began;
      assert.ok(took < RECOVERY, `recovered after ${took.toFixed(0)} ms`);
      return result;
    };
    const lock = await through(() => client.tryAcquire(freshKey(), { ttl: TTL }));
    assert.equal(lock.held, true);
    await through(() => lock.extend(TTL));
    assert.equal(await through(() => lock.verify()), true);
    await lock.extend(TTL);
    const outcome = await through(() => lock.release());
    // Nobody knows whether a command that reached the server before the cut was carried out.
    assert.ok(outcome === "released" || name.startsWith("is cut"), outcome);
    assert.equal(await redis.send("EXISTS", `lock:${lock.keys[0]}`), 0);
    const next = await through(() => client.acquire(freshKey(), { ttl: TTL, wait: 3_000 }));
    assert.equal(next.held, true);
  });
}

test("rule 17: a silent connection is noticed by a waiting acquire too", async (t) => {
  const proxy = await startProxy(t, target);
  const client = openClient(t, proxy, defaults);
  await (await client.acquire(freshKey())).release();
  proxy.forget();
  const began = performance.now();
  const lock = await client.acquire(freshKey(), { wait: 5_000 });
  assert.equal(lock.held, true);
  assert.ok(performance.now() - began < 2_000 + 1_500, "nodeTimeout is at most 2 s");
});

test("rule 17: a failover behind one name: the try is repeated on the new master", async (t) => {
  const old = await startRedis(t);
  const next = await startRedis(t);
  const name = { host: "127.0.0.1", port: old.port };
  const proxy = await startProxy(t, name);
  const client = openClient(t, proxy, defaults);
  const lock = await client.acquire(freshKey(), { ttl: 30_000 });
  await next.send("SET", `lock:${lock.keys[0]}`, lock.token, "PX", "30000");
  name.port = next.port;
  await old.send("REPLICAOF", "127.0.0.1", String(next.port));
  const trying = await client.tryAcquire(freshKey());
  assert.equal(trying.held, true);
  assert.equal(await next.send("GET", `lock:${trying.keys[0]}`), trying.token);
  assert.equal(await lock.release(), "released");
});

test("rule 17: a thousand commands in flight are all repeated", async (t) => {
  const proxy = await startProxy(t, target);
  const client = openClient(t, proxy, defaults);
  await (await client.acquire(freshKey())).release();
  proxy.deaf = true;
  const trying = Array.from({ length: 1_000 }, () => client.tryAcquire(freshKey(), { ttl: 30_000 }));
  await until(() => client.inspect().nodes[0].pending === Math.ceil(1_000 / 32), {
    what: "the commands, in calls of 32",
  });
  proxy.deaf = false;
  proxy.cut();
  const locks = await Promise.all(trying);
  assert.ok(locks.every((lock) => lock.held));
});
