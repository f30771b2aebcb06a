// Names of any shape: distinct locks, and all keys of one lock in one slot of a cluster.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { ServerError } from "../support/redlatch.js";
import { ANY_PREFIX } from "../support/rights.js";
import { assertAllExpire } from "../support/server-state.js";

const redis = await startRedis({ after });
const cluster = await startRedis({ after }, { config: { "cluster-enabled": "yes" } });
await cluster.send("CLUSTER", "ADDSLOTSRANGE", "0", "16383");
await until(async () => (await cluster.send("CLUSTER", "INFO")).includes("cluster_state:ok"), {
  within: 10_000,
  what: "a cluster of one",
});
await cluster.send("ACL", "SETUSER", "any-prefix", "on", ">pw", ...ANY_PREFIX);

/** Every way to put the braces into "ab", and more. */
const braces = ["{", "}", "{}", "}{"].flatMap((brace) => [
  brace,
  `${brace}ab`,
  `a${brace}b`,
  `ab${brace}`,
  `${brace}ab${brace}`,
  `a${brace}b${brace}`,
  `${brace}${brace}ab`,
]);
const names = [
  ...new Set([
    ...braces,
    "{a}b",
    "{a}{b}",
    "{{a}}",
    "a{b}c}d",
    "{a",
    "a}",
    "}a{b}",
    "{}{b}",
    "a\0b",
    "a\0",
    "a",
    "\0",
    "{\0}",
    "}\0",
    " ",
    "\r\n",
    "ключ",
    "{🔒}",
    "🔒",
    "}🔒",
    "e\u0301",
    "\u00e9",
    "\ud800",
    "\ud801",
    "\udc00",
    "\ud800{\udc00}",
    "}\udfff",
    "\ufffd",
    "x".repeat(65_536),
    `}${"x".repeat(65_535)}`,
    `{${"y".repeat(65_534)}`,
    ":",
    "lock:a",
    "redlatch:fence:a",
    ":redlatch:fence:a",
    "a:redlatch:queue:a",
    "*",
    "%s",
    "$1",
    "__proto__",
    "constructor",
  ]),
];
const show = (name) => JSON.stringify(name).slice(0, 30);

for (const [where, server] of [
  ["one server", redis],
  ["a cluster", cluster],
]) {
  for (const fair of [false, true]) {
    test(`rule 13: distinct names never share a key, on ${where} (fair: ${fair})`, {
      timeout: 30_000,
    }, async (t) => {
      await server.send("FLUSHALL");
      const client = openClient(t, server, { ttl: 60_000 });
      const locks = [];
      for (const name of names) {
        const lock = await client.tryAcquire(name, { fair });
        assert.notEqual(lock, null, `${show(name)} collides with another name`);
        locks.push(lock);
      }
      assert.equal(await server.send("DBSIZE"), names.length * 2, "a lock and a fence counter each");
      for (const name of names) assert.equal(await client.tryAcquire(name, { fair }), null, show(name));
      // With a waiter for each, every kind of derived key exists.
      const rival = openClient(t, server, { wait: 60_000 });
      const waiting = names.map((name) => rival.acquire(name, { fair }));
      const each = fair ? 4 : 3;
      await until(async () => (await server.send("DBSIZE")) === names.length * each, {
        what: `${each} keys for each lock, none shared`,
      });
      await assertAllExpire(server);
      for (const lock of locks) assert.equal(await lock.release(), "released");
      for (const lock of await settles(Promise.all(waiting), 10_000)) {
        assert.ok(lock.fence > 0n);
        assert.equal(await lock.release(), "released");
      }
    });
  }
}

test("rule 13: renewal, extension, verification and re-entry work in a cluster, under any name", async (t) => {
  const client = openClient(t, cluster, { ttl: 20_000 });
  for (const name of names) {
    const lock = await client.acquire(name, { token: "t" });
    await lock.extend(30_000);
    assert.equal(await lock.verify(), true, show(name));
    const again = await client.acquire(name, { token: "t" });
    await again.release();
    assert.equal(await lock.release(), "released", show(name));
  }
});

test("rule 12: in a cluster several keys of one slot are one lock, and of several slots a clear error", async (t) => {
  const client = openClient(t, cluster);
  const tag = freshKey("tag");
  for (const fair of [false, true]) {
    const lock = await client.acquire([`{${tag}}a`, `b{${tag}}`, `{${tag}}{c}`], { fair });
    assert.equal(await client.tryAcquire(`b{${tag}}`, { fair }), null);
    assert.equal(await lock.release(), "released");
    const error = await rejection(client.acquire(["in one slot", "in another"], { fair }));
    assert.ok(error instanceof ServerError, String(error));
    assert.equal(error.prefix, "CROSSSLOT");
  }
});

test("rule 13: a name that could be a derived key of another is refused before a byte is sent", async (t) => {
  const client = openClient(t, "redis://127.0.0.1:1", { prefix: "" });
  for (const name of ["{a}:redlatch:fence:a", "{a}:redlatch:queue:a", "{b}:redlatch:waiters:{b}c"]) {
    const error = await rejection(client.acquire(name));
    assert.ok(error instanceof TypeError, `${name}: ${error}`);
    assert.match(error.message, /redlatch/);
  }
});

test("rule 13: a prefix with braces moves all keys, and splits none", async (t) => {
  for (const prefix of ["{app}:", "}", "{", "", "a{b}c}"]) {
    const client = openClient(t, `redis://any-prefix:pw@127.0.0.1:${cluster.port}`, { prefix });
    for (const name of ["plain", "{tag}name", "}odd{"]) {
      for (const fair of [false, true]) {
        const lock = await client.acquire(name, { fair });
        assert.equal(await lock.release(), "released", `${prefix} ${name}`);
      }
    }
  }
});
