// Wake-ups on shard channels: they stay among the servers of a shard, and reach whoever waits, also after its slot has moved.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { settles, until } from "../support/conditions.js";
import { NEEDED_IF_SHARDED, NEEDED_IN_CLUSTER } from "../support/rights.js";

/** The first poll comes far later than anything that is waited for here. */
const SELDOM = { min: 30_000, max: 30_000 };
const SOON = 5_000;
const ROUNDS = 30;

const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const cluster = await startCluster(
  { after: (end) => ends.push(end) },
  { replicas: 1, rights: NEEDED_IF_SHARDED, config: { "cluster-node-timeout": 2_000 } },
);
const [one, other] = cluster.nodes;
const all = [...cluster.nodes, ...cluster.replicas];
const seeds = cluster.nodes.map(({ url }) => url);
const open = (t, { sharded = true, urls = seeds, ...options } = {}) =>
  openClient(t, undefined, {
    cluster: { seeds: urls, sharded },
    retry: SELDOM,
    wait: 60_000,
    ttl: 60_000,
    ...options,
  });

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

/** How many messages all servers together have sent to others: those for every server, and those within a shard. */
async function busMessages() {
  const infos = await Promise.all(all.map((node) => node.send("CLUSTER", "INFO")));
  const sum = (kind) => {
    const line = new RegExp(`^cluster_stats_messages_${kind}_sent:(\\d+)`, "m");
    return infos.reduce((total, info) => total + Number(line.exec(info)?.[1] ?? 0), 0);
  };
  return { publish: sum("publish"), publishshard: sum("publishshard") };
}

/** Asks for a lock that is held; resolves to its promise when the waiter is registered, and its client listens. */
async function queueUp(client, key, { fair = false } = {}, node = one) {
  const set = `lock:redlatch:${fair ? "queue" : "waiters"}:{lock:${key}}`;
  const turn = client.acquire(key, { fair });
  turn.catch(() => {});
  await until(async () => (await node.send("ZCARD", set)) > 0, { what: "the registration" });
  await until(() => client.inspect().nodes.every(({ pending }) => pending === 0), { what: "the answer" });
  return { turn };
}

/** Hands a lock to and fro between two clients; resolves to how long each hand-over took. */
async function handOver(clients, key, fair) {
  let lock = await clients[0].acquire(key, { fair });
  const gaps = [];
  for (let round = 1; round <= ROUNDS; round += 1) {
    const { turn } = await queueUp(clients[round % 2], key, { fair });
    const released = performance.now();
    await lock.release();
    lock = await settles(turn, SOON, "the hand-over");
    gaps.push(performance.now() - released);
  }
  await lock.release();
  return median(gaps);
}

for (const fair of [false, true]) {
  test(`rule 11: wake-ups on shard channels do not leave the shard (fair: ${fair})`, async (t) => {
    const key = await cluster.freshKeyOn(one);
    const before = await busMessages();
    const gap = await handOver([open(t), open(t)], key, fair);
    const sent = await busMessages();
    assert.equal(sent.publish, before.publish, "messages for all servers");
    // To the one replica, for each release that woke a waiter.
    assert.equal(sent.publishshard - before.publishshard, ROUNDS);
    t.diagnostic(`median hand-over: ${gap.toFixed(2)} ms`);
    assert.ok(gap < 50, `the hand-over took ${gap} ms`);
  });
}

test("without the option, the cluster sends each wake-up to all servers, on the channel of before", async (t) => {
  const key = await cluster.freshKeyOn(one);
  const before = await busMessages();
  const gap = await handOver([open(t, { sharded: false }), open(t, { sharded: false })], key, false);
  const sent = await busMessages();
  assert.equal(sent.publish - before.publish, ROUNDS * (all.length - 1));
  assert.equal(sent.publishshard, before.publishshard);
  t.diagnostic(`median hand-over: ${gap.toFixed(2)} ms`);
  assert.ok(gap < 50, `the hand-over took ${gap} ms`);
});

for (const fair of [false, true]) {
  test(`rule 11: clients with and without shard channels wake each other (fair: ${fair})`, async (t) => {
    const key = await cluster.freshKeyOn(one);
    const before = await busMessages();
    const gap = await handOver([open(t), open(t, { sharded: false })], key, fair);
    const sent = await busMessages();
    assert.equal(sent.publishshard - before.publishshard, ROUNDS / 2);
    assert.equal(sent.publish - before.publish, (ROUNDS / 2) * (all.length - 1));
    assert.ok(gap < 50, `the hand-over took ${gap} ms`);
  });
}

test("rule 11: a lock whose slot moves is handed over at its new server, and no connection ends", async (t) => {
  const [holder, client] = [open(t), open(t)];
  const key = await cluster.freshKeyOn(one);
  const slot = await cluster.slotOf(`lock:${key}`);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ]) {
    const lock = await holder.acquire(key);
    const { turn } = await queueUp(client, key, {}, from);
    await cluster.moveSlot(slot, from, to);
    // It hears of it, and subscribes there.
    await until(async () => (await to.send("PUBSUB", "SHARDCHANNELS")).length > 0, {
      what: "the subscription",
    });
    await until(() => client.inspect().nodes.every(({ pending }) => pending === 0));
    await lock.release();
    await (await settles(turn, SOON, "the hand-over")).release();
  }
  assert.equal(client.inspect().counters.reconnects, 0);
});

test("rule 11: a lock that is released while its slot moves is handed over when it has moved", async (t) => {
  const [holder, client] = [open(t), open(t)];
  const key = await cluster.freshKeyOn(one);
  const slot = await cluster.slotOf(`lock:${key}`);
  const lock = await holder.acquire(key);
  const { turn } = await queueUp(client, key);
  await cluster.beginMove(slot, one, other);
  await cluster.moveKeys(slot, one, other);
  // At the new server, where nobody listens yet.
  assert.equal(await lock.release(), "released");
  await cluster.endMove(slot, other);
  await (await settles(turn, SOON, "the hand-over")).release();
  await cluster.moveSlot(slot, other, one);
});

test("a client listens in few slots in which it waits for nothing", async (t) => {
  const [holder, client] = [open(t), open(t)];
  const channels = () => one.send("PUBSUB", "SHARDCHANNELS", "lock:redlatch:wake:*");
  const others = (await channels()).length;
  const keys = [];
  while (keys.length < 40) keys.push(await cluster.freshKeyOn(one));
  const slots = new Set(await Promise.all(keys.map((key) => cluster.slotOf(`lock:${key}`))));
  const locks = await Promise.all(keys.map((key) => holder.acquire(key)));
  await Promise.all(keys.map((key) => queueUp(client, key)));
  assert.equal((await channels()).length - others, slots.size, "one for each slot");
  await client.close();
  await until(async () => (await channels()).length === others, { what: "the end of the connection" });

  const next = open(t);
  const aborts = keys.map(() => new AbortController());
  const waits = keys.map((key, at) => next.acquire(key, { signal: aborts[at].signal }).catch(() => {}));
  await until(async () => (await channels()).length - others === slots.size, { what: "the subscriptions" });
  for (const abort of aborts) abort.abort();
  await Promise.all(waits);
  await until(async () => (await channels()).length - others === 16, { what: "the end of subscriptions" });
  for (const lock of locks) await lock.release();
});

let users = 0;
/** A client of a new user, who has these rights and no others. */
async function openAs(t, rights, options) {
  users += 1;
  for (const node of all) await node.send("ACL", "SETUSER", `user${users}`, "on", ">pw", ...rights);
  return open(t, { urls: seeds.map((url) => url.replace("//", `//user${users}:pw@`)), ...options });
}

test("who may not subscribe polls, and nothing fails", async (t) => {
  const retry = { min: 5, max: 20 };
  const client = await openAs(t, NEEDED_IN_CLUSTER, { retry });
  const key = await cluster.freshKeyOn(one);
  const lock = await open(t).acquire(key);
  const turn = client.acquire(key);
  await until(() => client.inspect().nodes.some(({ state, wakes }) => state === "ready" && !wakes), {
    what: "the refusal",
  });
  const { attempts } = client.inspect().counters;
  await until(() => client.inspect().counters.attempts > attempts + 5, { what: "polls" });
  await lock.release();
  await (await settles(turn, SOON, "the lock")).release();
  assert.equal(client.inspect().counters.reconnects, 0);
});

test("who may not publish releases all the same, and the waiter polls", async (t) => {
  const holder = await openAs(
    t,
    NEEDED_IF_SHARDED.filter((right) => right !== "+spublish"),
  );
  const client = open(t, { retry: { min: 5, max: 200 } });
  const key = await cluster.freshKeyOn(one);
  const lock = await holder.acquire(key);
  const { turn } = await queueUp(client, key);
  assert.equal(await lock.release(), "released");
  await (await settles(turn, SOON, "the lock")).release();
});

test("rule 11: when a primary is killed, its waiters listen at the new one", async (t) => {
  const [holder, client] = [open(t), open(t)];
  const shard = 2;
  const primary = cluster.nodes[shard];
  const key = await cluster.freshKeyOn(primary);
  const lock = await holder.acquire(key);
  const { turn } = await queueUp(client, key, {}, primary);
  await primary.send("WAIT", 1, 5_000);
  await cluster.kill(primary);
  const heir = await cluster.untilMaster(shard);
  const channels = async () => (await heir.send("PUBSUB", "SHARDCHANNELS", "lock:redlatch:wake:*")).length;
  await until(async () => (await channels()) > 0, { within: 20_000, what: "the subscription" });
  await until(() => client.inspect().nodes.every(({ pending }) => pending === 0));
  await until(() => lock.verify().catch(() => false), {
    within: 20_000,
    what: "the holder's new connection",
  });
  assert.equal(await lock.release(), "released");
  await (await settles(turn, SOON, "the hand-over")).release();
});

test("over RESP2, which has no pushes, waiters poll", async (t) => {
  const old = await startCluster(t, {
    nodes: 1,
    rights: NEEDED_IF_SHARDED,
    config: { "rename-command": ["HELLO", ""] },
  });
  const clients = [0, 1].map(() => open(t, { urls: [old.nodes[0].url], retry: { min: 5, max: 20 } }));
  const key = freshKey();
  const lock = await clients[0].acquire(key);
  const turn = clients[1].acquire(key);
  await until(() => clients[1].inspect().counters.attempts > 5, { what: "polls" });
  assert.equal(await lock.release(), "released");
  await (await settles(turn, SOON, "the lock")).release();
  assert.deepEqual(await old.nodes[0].send("PUBSUB", "SHARDCHANNELS"), []);
});
