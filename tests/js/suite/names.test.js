// Names of any shape: distinct locks, and all keys of one lock in one slot of a cluster.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { startRedis } from "../support/redis.js";
import { fromCommand, ServerError } from "../support/redlatch.js";
import { ANY_PREFIX } from "../support/rights.js";
import { assertAllExpire, keysLeft, loadScripts } from "../support/server-state.js";

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
    "redlatch",
    "redlatch:a",
    "redlatch:wake:a",
    "*",
    "%s",
    "$1",
    "__proto__",
    "constructor",
  ]),
];
/** The fence counters of a server, by slot if it is in a cluster. */
const countersOf = (server) => server.send("KEYS", "lock:redlatch:fence*");
const slotsOf = (keys) => Promise.all(keys.map((key) => cluster.send("CLUSTER", "KEYSLOT", key)));
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
      const counters = await countersOf(server);
      if (server === redis) assert.deepEqual(counters, ["lock:redlatch:fence"]);
      else assert.equal(new Set(await slotsOf(counters)).size, counters.length, "one for each slot");
      assert.equal(
        await server.send("DBSIZE"),
        names.length + counters.length,
        "a key each, and the fence counters",
      );
      for (const name of names) assert.equal(await client.tryAcquire(name, { fair }), null, show(name));
      // With a waiter for each, every kind of derived key exists.
      const rival = openClient(t, server, { wait: 60_000 });
      const waiting = names.map((name) => rival.acquire(name, { fair }));
      const each = fair ? 3 : 2;
      await until(async () => (await server.send("DBSIZE")) === names.length * each + counters.length, {
        what: `${each} keys for each lock, none shared`,
      });
      await assertAllExpire(server);
      for (const name of await server.send("KEYS", "*")) assert.match(name, /^lock:/);
      for (const lock of locks) assert.equal(await lock.release(), "released");
      for (const lock of await settles(Promise.all(waiting), 10_000)) {
        assert.ok(lock.fence > 0n);
        assert.equal(await lock.release(), "released");
      }
      assert.equal((await keysLeft(server)).length, 0);
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

test("rule 8: in a cluster there is one fence counter for each slot in use, and fences grow in each", async (t) => {
  await cluster.send("FLUSHALL");
  const client = openClient(t, cluster);
  // Twelve names in four slots.
  const list = ["a", "b", "c", "d"].flatMap((tag) => [`{${tag}}1`, `{${tag}}2`, `{${tag}}3`]);
  const last = new Map();
  for (let round = 0; round < 3; round += 1) {
    for (const [at, name] of list.entries()) {
      const lock = await client.acquire(name, { fair: (at + round) % 2 === 0 });
      const tag = name.slice(0, 3);
      // Of two locks in one slot, the later one has the larger fence, whatever its key.
      assert.ok(lock.fence > (last.get(tag) ?? 0n), `${name}: ${lock.fence} after ${last.get(tag)}`);
      last.set(tag, lock.fence);
      await lock.release();
    }
  }
  assert.equal(await cluster.send("DBSIZE"), 4, "nothing else is left");
  const counters = await countersOf(cluster);
  assert.deepEqual((await slotsOf(counters)).sort(), (await slotsOf(["{a}", "{b}", "{c}", "{d}"])).sort());
  // A counter that is lost in one slot, and one that is ahead in another.
  for (const counter of counters) {
    assert.match(counter, /^lock:redlatch:fence:\{[01]{16}\}$/);
    assert.ok((await cluster.send("PTTL", counter)) > 3_000_000);
  }
  await cluster.send("DEL", counters[0]);
  await cluster.send("SET", counters[1], "9007199254740000");
  for (const name of list) {
    const lock = await client.acquire(name);
    assert.ok(lock.fence > last.get(name.slice(0, 3)));
    last.set(name.slice(0, 3), lock.fence);
    await lock.release();
  }
  assert.equal(await cluster.send("GET", counters[1]), "9007199254740003");
});

/** By carrier: how many commands a client's first lock takes in a cluster whose kind it does not know, and its next one. */
for (const [carrier, respond] of [
  ["a transport of commands", undefined],
  ["RESP2", "-ERR unknown command 'HELLO'\r\n"],
]) {
  test(`rule 13: over ${carrier} a cluster refuses the first command, and gets it again with keys of one slot`, async (t) => {
    const seen = [];
    let server;
    if (respond === undefined) {
      const raw = await cluster.connect();
      const send = (args) => {
        seen.push(args);
        return raw.send(...args);
      };
      server = { transport: fromCommand(send) };
    } else {
      const answer = ([name, ...args]) => {
        if (name === "HELLO") return respond;
        if (/^EVAL/.test(name)) seen.push([name, ...args]);
        return undefined;
      };
      server = await startFakeServer(t, await forwardingTo(cluster, answer));
    }
    const open = () =>
      server.transport === undefined ? openClient(t, server) : openClient(t, undefined, server);
    await loadScripts(cluster);
    for (const options of [{}, { fair: true }, { token: "mine" }]) {
      const client = open();
      await client.acquire(freshKey()).then((lock) => lock.release());
      const fresh = open();
      seen.length = 0;
      const lock = await fresh.acquire(freshKey(), { ...options, wait: 0 });
      assert.equal(seen.length, 2, seen.map(([name]) => name).join(" "));
      const counters = seen.map((args) => args.find((each) => String(each).includes("redlatch:fence")));
      assert.equal(String(counters[0]), "lock:redlatch:fence");
      assert.match(String(counters[1]), /^lock:redlatch:fence:\{[01]{16}\}$/);
      assert.equal(await lock.release(), "released");
      const next = await fresh.acquire(freshKey(), options);
      assert.ok(next.fence > 0n);
      assert.equal(await next.release(), "released");
      assert.equal(seen.length, 5, "from then on each is asked once");
    }
  });
}

test("rule 13: a name that could be a derived key of another is refused before a byte is sent", async (t) => {
  for (const [prefix, name] of [
    ["", "redlatch:fence"],
    ["", "redlatch:fence:{0101010101010101}"],
    ["", "redlatch:queue:{a}"],
    ["", "p:redlatch:waiters:{p:b}"],
    ["", "redlatch:places:{b}:{b}c"],
    ["lock:", "redlatch:fence"],
    ["lock:", "redlatch:queue:{a}"],
    ["redlatch:", "queue:{a}"],
    ["redlatch:fence:", "a"],
  ]) {
    const client = openClient(t, "redis://127.0.0.1:1", { prefix });
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
