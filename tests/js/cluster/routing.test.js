// A client of a cluster asks each server only for what that server has, over one connection.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { connectionsOf, receivedBy, redirectionsOf } from "../support/cluster-state.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { ConnectionError, createClient, ServerError } from "../support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";
import { afterFirstCall, keysLeft, tokenOf } from "../support/server-state.js";

const cluster = await startCluster({ after }, { rights: NEEDED_IN_CLUSTER });
const { nodes } = cluster;
const urls = nodes.map(({ url }) => url);

const open = (t, seeds = urls, options = {}) => openClient(t, undefined, { cluster: seeds, ...options });
const connections = () => Promise.all(nodes.map(connectionsOf));

/** That many pairs of acquire and release, `inFlight` at a time, over these keys in turn. */
async function pairs(client, keys, count, inFlight) {
  let next = 0;
  const work = async () => {
    while (next < count) {
      const key = keys[next % keys.length];
      next += 1;
      const lock = await client.acquire(key, { wait: 10_000 });
      assert.equal(await lock.release(), "released");
    }
  };
  await Promise.all(Array.from({ length: inFlight }, work));
}

test("after the first request for the map, no command is redirected, and each server has one connection", async (t) => {
  const client = open(t, [urls[0]]);
  const keys = Array.from({ length: 100 }, () => freshKey());
  const asked = await receivedBy(nodes, "cluster|slots");
  await pairs(client, keys, keys.length, 32);
  const isCold = (await receivedBy(nodes, "cluster|slots")) - asked;
  assert.equal(isCold, 1, "requests for the map at a cold start");
  const before = await redirectionsOf(nodes);
  await pairs(client, keys, 2_000, 32);
  assert.equal((await redirectionsOf(nodes)) - before, 0, "redirections");
  assert.equal((await receivedBy(nodes, "cluster|slots")) - asked, 1, "no further request for the map");
  assert.deepEqual(await connections(), [1, 1, 1]);
  assert.deepEqual(
    client
      .inspect()
      .nodes.map(({ node, state }) => [node, state])
      .sort(),
    nodes.map(({ port }) => [`127.0.0.1:${port}`, "ready"]).sort(),
  );
});

test("a server is connected to when a lock needs it, and not before", async (t) => {
  const before = await connections();
  const client = open(t, [urls[0]]);
  const key = await cluster.freshKeyOn(nodes[0]);
  await (await client.acquire(key)).release();
  const used = (await connections()).map((count, at) => count - before[at]);
  assert.deepEqual(used, [1, 0, 0]);
});

test("a lock's whole life on each server, through a seed that has not got it", async (t) => {
  const [one, other] = [open(t, [urls[0]]), open(t, `${urls[1]}`.split(" "))];
  for (const node of nodes) {
    const key = await cluster.freshKeyOn(node);
    const lock = await one.acquire(key, { ttl: 20_000, token: `token of ${key}` });
    assert.equal(await tokenOf(node, key), `token of ${key}`);
    await lock.extend(40_000);
    assert.ok((await node.send("PTTL", `lock:${key}`)) > 30_000);
    assert.equal(await lock.verify(), true);
    assert.equal(await other.tryAcquire(key), null);
    const heir = await other.adopt(JSON.parse(JSON.stringify(lock)));
    assert.equal(await heir.release(), "released");
    assert.deepEqual(await keysLeft(node, `*${key}*`), []);
    const next = await other.acquire(key, { renew: true });
    assert.ok(next.fence > lock.fence);
    await node.send("DEL", `lock:${key}`);
    assert.equal(await next.verify(), false);
    assert.equal(await next.release(), "expired");
  }
});

test("waiters are woken by the server that has their lock, fair ones in the order of arrival", async (t) => {
  // They do not poll within the test.
  const patient = { retry: { min: 8_000, max: 16_000 }, wait: 30_000, ttl: 30_000 };
  const clients = [open(t, [urls[0]], patient), open(t, [urls[1]], patient)];
  for (const fair of [false, true]) {
    for (const node of nodes) {
      const key = await cluster.freshKeyOn(node);
      const holder = await clients[0].acquire(key, { fair });
      const served = [];
      const turns = [];
      for (const at of [0, 1, 2, 3]) {
        const { promise } = await afterFirstCall(node, () => clients[at % 2].acquire(key, { fair }));
        turns.push(promise.then((lock) => lock.release(served.push(at))));
      }
      await holder.release();
      await settles(Promise.all(turns), 4_000, "the turns");
      if (fair) assert.deepEqual(served, [0, 1, 2, 3]);
      assert.deepEqual(await keysLeft(node, `*${key}*`), []);
    }
  }
});

test("several keys with one hash tag are one lock, taken by one command", async (t) => {
  const client = open(t);
  for (const node of nodes) {
    const key = await cluster.freshKeyOn(node, () => `{${freshKey()}}a`);
    const lock = await client.acquire([key, `${key}b`, `${key}c`]);
    assert.equal(await client.tryAcquire(`${key}b`), null);
    assert.equal(await lock.release(), "released");
  }
});

test("the URL of a cluster is enough, and seeds that are down do not matter", async (t) => {
  const hosts = nodes.map(({ port }) => `127.0.0.1:${port}`).join(",");
  const byUrl = createClient(`redis+cluster://${hosts}`);
  t.after(() => byUrl.close());
  const onEach = await Promise.all(nodes.map((node) => cluster.freshKeyOn(node)));
  for (const key of onEach) await (await byUrl.acquire(key)).release();
  const client = open(t, ["redis://127.0.0.1:1", "redis://127.0.0.1:2", urls[2]]);
  for (const key of onEach) await (await client.acquire(key, { wait: 10_000 })).release();
  const nobody = open(t, ["redis://127.0.0.1:1", "redis://127.0.0.1:2"]);
  const error = await rejection(nobody.acquire(freshKey(), { wait: 500 }));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION" });
  assert.match(error.node, /127\.0\.0\.1:[12]/);
});

test("servers behind a translation of addresses are reached through natMap alone", async (t) => {
  const proxies = [];
  for (const { port } of nodes) proxies.push(await startProxy(t, { host: "127.0.0.1", port }));
  const table = Object.fromEntries(
    nodes.map(({ port }, at) => [`127.0.0.1:${port}`, `127.0.0.1:${proxies[at].port}`]),
  );
  const before = await connections();
  for (const natMap of [table, (address) => table[address]]) {
    const client = open(t, { seeds: [proxies[0].url], natMap });
    for (const node of nodes) {
      const key = await cluster.freshKeyOn(node);
      await (await client.acquire(key, { wait: 10_000 })).release();
    }
    await client.close();
  }
  await until(async () => (await connections()).every((count, at) => count <= before[at]), {
    what: "the end of the connections",
  });
  // By table, a seed is known by its announced address too; by function, it is one more server.
  assert.deepEqual(
    proxies.map((proxy) => proxy.connections),
    [3, 2, 2],
  );
});

for (const [type, host] of Object.entries({ "unknown-endpoint": "", hostname: "localhost" })) {
  test(`servers that name each other by ${type}`, async (t) => {
    const set = (name, value) => Promise.all(nodes.map((node) => node.send("CONFIG", "SET", name, value)));
    t.after(async () => {
      await set("cluster-preferred-endpoint-type", "ip");
      await set("cluster-announce-hostname", "");
    });
    await set("cluster-preferred-endpoint-type", type);
    if (host !== "") await set("cluster-announce-hostname", host);
    const namesOf = (map) => map.map(([, , [name]]) => name || "");
    for (const node of nodes) {
      const isKnown = async () => namesOf(await node.send("CLUSTER", "SLOTS")).every((name) => name === host);
      await until(isKnown, { within: 20_000, what: "the names" });
    }
    const client = open(t, [urls[0]]);
    const names = [];
    for (const node of nodes) {
      const key = await cluster.freshKeyOn(node);
      const lock = await client.acquire(key, { wait: 10_000 });
      assert.equal(await tokenOf(node, key), lock.token);
      assert.equal(await lock.release(), "released");
      names.push(`${host || "127.0.0.1"}:${node.port}`);
    }
    const ready = client.inspect().nodes.filter(({ state }) => state === "ready");
    for (const name of names)
      assert.ok(
        ready.some(({ node }) => node === name),
        name,
      );
  });
}

test("a database other than 0 is the server's to refuse", async (t) => {
  const error = await rejection(open(t, [`${urls[0]}/1`]).acquire(freshKey(), { wait: 2_000 }));
  assertLockError(error, {
    type: ServerError,
    code: "LOCK_SERVER",
    prefix: "ERR",
    says: [/SELECT|DB index/],
  });
});
