// Every way in which a server can refuse has its class, its code, and a message that one can act on.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, ServerError } from "../support/redlatch.js";
import { NEEDED } from "../support/rights.js";

const redis = await startRedis({ after });
const guarded = await startRedis({ after }, { password: "right" });

/** Where another attempt may help, `wait` passes in full. */
const SHORT = 1_000;

/** The error of tryAcquire and that of acquire with a short wait: the same kind, and never a plain "no". */
async function bothErrors(t, server, wait = 2_000) {
  return [
    await rejection(openClient(t, server).tryAcquire(freshKey())),
    await rejection(openClient(t, server).acquire(freshKey(), { wait })),
  ];
}

test("a server that accepts and says nothing", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  proxy.deaf = true;
  const error = await rejection(
    openClient(t, proxy, { connectTimeout: 200, nodeTimeout: 200 }).tryAcquire(freshKey()),
  );
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port: proxy.port,
    says: [/200|time|answer/i],
  });
});

test("the server dies while locks are waited for, and comes back", async (t) => {
  const own = await startRedis(t);
  const client = openClient(t, own, { retry: { min: 5, max: 30 } });
  await (await client.acquire(freshKey())).release();
  await own.stop();
  assertLockError(await rejection(client.tryAcquire(freshKey())), {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port: own.port,
  });
  const waiting = client.acquire(freshKey(), { wait: 20_000 });
  await startRedis(t, { port: own.port });
  const lock = await waiting;
  assert.equal(await lock.release(), "released");
});

test("wrong password", async (t) => {
  for (const error of await bothErrors(t, `redis://:wrong@127.0.0.1:${guarded.port}`)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "WRONGPASS",
      port: guarded.port,
      says: [/WRONGPASS/, /password/i],
    });
  }
});

test("no password where one is needed", async (t) => {
  for (const error of await bothErrors(t, `redis://127.0.0.1:${guarded.port}`)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "NOAUTH",
      port: guarded.port,
      says: [/NOAUTH/],
    });
  }
});

test("wrong password on a server without HELLO", async (t) => {
  const old = await startRedis(t, { password: "right", config: { "rename-command": ["HELLO", ""] } });
  const [error] = await bothErrors(t, `redis://:wrong@127.0.0.1:${old.port}`);
  assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "WRONGPASS", port: old.port });
  const lock = await openClient(t, old).acquire(freshKey());
  assert.equal(await lock.release(), "released");
});

test("rule 14: a permanent error is reported at once, not after `wait`", async (t) => {
  const key = freshKey();
  await redis.send("RPUSH", `lock:${key}`, "not a lock");
  await redis.send("ACL", "SETUSER", "barred", "on", ">pw", "~*", "&*", "+@all", "-eval", "-evalsha");
  const refusals = {
    WRONGPASS: `redis://:wrong@127.0.0.1:${guarded.port}`,
    NOAUTH: `redis://127.0.0.1:${guarded.port}`,
    NOPERM: `redis://barred:pw@127.0.0.1:${redis.port}`,
    WRONGTYPE: redis.url,
  };
  for (const [prefix, url] of Object.entries(refusals)) {
    const started = performance.now();
    const error = await rejection(openClient(t, url).acquire(key, { wait: 30_000 }));
    assert.equal(error.prefix, prefix);
    assert.ok(performance.now() - started < 4_000, prefix);
  }
});

test("rule 14: a user who may not run scripts", async (t) => {
  await redis.send("ACL", "SETUSER", "noscript", "on", ">pw", "~*", "&*", "+@all", "-eval", "-evalsha");
  for (const error of await bothErrors(t, `redis://noscript:pw@127.0.0.1:${redis.port}`)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "NOPERM",
      port: redis.port,
      says: [/NOPERM/, /eval/i],
    });
  }
});

test("a user who may not touch the key", async (t) => {
  await redis.send("ACL", "SETUSER", "elsewhere", "on", ">pw", "~other:*", "&*", "+@all");
  for (const error of await bothErrors(t, `redis://elsewhere:pw@127.0.0.1:${redis.port}`)) {
    assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "NOPERM", port: redis.port });
  }
});

test("a user with exactly the rights that the README asks for", async (t) => {
  await redis.send("ACL", "SETUSER", "careful", "on", ">pw", ...NEEDED);
  const client = openClient(t, `redis://careful:pw@127.0.0.1:${redis.port}`);
  for (const key of [freshKey(), freshKey("}{")]) {
    for (const fair of [false, true]) {
      const lock = await client.acquire([key, `${key}-2`], { wait: 0, fair });
      assert.equal(await client.tryAcquire(key, { fair }), null);
      const waiting = client.acquire(key, { fair, wait: 5_000 });
      await lock.extend();
      assert.equal(await lock.verify(), true);
      assert.equal(client.inspect().nodes[0].wakes, true);
      assert.equal(await lock.release(), "released");
      assert.equal(await (await waiting).release(), "released");
    }
  }
});

test("a database that does not exist", async (t) => {
  for (const error of await bothErrors(t, `${redis.url}/9999`)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "ERR",
      port: redis.port,
      says: [/DB index|database/i],
    });
  }
});

test("a key of another type is left as it is", async (t) => {
  const key = freshKey();
  await redis.send("RPUSH", `lock:${key}`, "not a lock");
  const client = openClient(t, redis);
  for (const wait of [0, 2_000]) {
    const error = await rejection(client.acquire(key, { wait }));
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "WRONGTYPE",
      port: redis.port,
      says: [/WRONGTYPE/],
    });
  }
  assert.equal(await redis.send("TYPE", `lock:${key}`), "list");
});

test("rule 14: a replica", async (t) => {
  const master = await startRedis(t, { config: { "repl-diskless-sync-delay": 0 } });
  const replica = await startRedis(t, { config: { replicaof: ["127.0.0.1", master.port] } });
  await until(async () => /master_link_status:up/.test(await replica.send("INFO", "replication")), {
    within: 20_000,
    what: "the replica's link",
  });
  for (const error of await bothErrors(t, replica, SHORT)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "READONLY",
      port: replica.port,
      says: [/READONLY/],
    });
  }
});

test("rule 14: a server that is still loading: waited for, and named when it takes too long", async (t) => {
  const LOADING = "-LOADING Redis is loading the dataset in memory\r\n";
  let loading = Infinity;
  const fake = await startFakeServer(
    t,
    await forwardingTo(redis, (args) => {
      if (!args[0].startsWith("EVAL") || loading === 0) return undefined;
      loading -= 1;
      return LOADING;
    }),
  );
  for (const error of await bothErrors(t, fake, SHORT)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "LOADING",
      port: fake.port,
      says: [/LOADING/],
    });
  }
  loading = 3;
  const lock = await openClient(t, fake, { retry: { min: 5, max: 20 } }).acquire(freshKey(), {
    wait: 10_000,
  });
  assert.equal(loading, 0);
  assert.equal(await lock.release(), "released");
});

test("a server that is loading during the handshake", async (t) => {
  let loading = 2;
  const fake = await startFakeServer(
    t,
    await forwardingTo(redis, (args) => {
      if (args[0] !== "HELLO" || loading === 0) return undefined;
      loading -= 1;
      return "-LOADING Redis is loading the dataset in memory\r\n";
    }),
  );
  const lock = await openClient(t, fake, { retry: { min: 5, max: 20 } }).acquire(freshKey(), { wait: 8_000 });
  assert.equal(await lock.release(), "released");
});

test("rule 13: a server that is out of memory: no new lock, but the old ones can be extended and released", async (t) => {
  const full = await startRedis(t, { config: { "maxmemory-policy": "noeviction" } });
  const client = openClient(t, full);
  const lock = await client.acquire("old", { ttl: 20_000 });
  await full.send("CONFIG", "SET", "maxmemory", 1);
  for (const error of await bothErrors(t, full, SHORT)) {
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "OOM",
      port: full.port,
      says: [/OOM/, /memory/],
    });
  }
  await lock.extend(60_000);
  assert.ok((await full.send("PTTL", "lock:old")) > 30_000);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  assert.equal(await full.send("EXISTS", "lock:old"), 0);
});

test("rule 13: SCRIPT FLUSH at any moment is not noticed", async (t) => {
  const client = openClient(t, redis);
  for (let round = 0; round < 5; round += 1) {
    await redis.send("SCRIPT", "FLUSH");
    const lock = await client.acquire(freshKey(), { wait: 0 });
    await redis.send("SCRIPT", "FLUSH");
    await lock.extend();
    await redis.send("SCRIPT", "FLUSH");
    assert.equal(await lock.verify(), true);
    await redis.send("SCRIPT", "FLUSH");
    assert.equal(await lock.release(), "released");
  }
  const flushing = redis.send("SCRIPT", "FLUSH");
  const base = freshKey();
  const locks = await Promise.all(
    Array.from({ length: 50 }, (_, at) => client.acquire(`${base}-${at}`, { wait: 0 })),
  );
  await flushing;
  assert.deepEqual(new Set(await Promise.all(locks.map((lock) => lock.release()))), new Set(["released"]));
});
