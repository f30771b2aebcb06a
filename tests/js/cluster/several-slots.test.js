// Locks with keys in several slots: taken slot by slot, all or none, with one fence (rule 12).
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { receivedBy } from "../support/cluster-state.js";
import { aborted, rejection, settles, until, untilRenewed } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";
import { afterFirstCall, keysLeft, tokenOf } from "../support/server-state.js";

/** How often the philosophers eat, all together. */
const MEALS = Number(process.env.MEALS ?? 500);

// Not `after` itself, which ends with the test that calls it: a test starts a server again, for those that follow.
const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const cluster = await startCluster(
  { after: (end) => ends.push(end) },
  { replicas: 1, rights: NEEDED_IN_CLUSTER, config: { "cluster-node-timeout": 1_000 } },
);
const urls = cluster.nodes.map(({ url }) => url);
const open = (t, options) =>
  openClient(t, undefined, { cluster: urls, retry: { min: 5, max: 20 }, wait: 10_000, ...options });

const masters = () => Promise.all(cluster.nodes.map((_, shard) => cluster.untilMaster(shard)));

/** A key on each of the masters, and these. */
async function keyOnEach() {
  const nodes = await masters();
  const keys = [];
  for (const node of nodes) keys.push(await cluster.freshKeyOn(node));
  return { nodes, keys };
}

/** Nothing of these keys is left on any server. */
async function assertFree(nodes, keys) {
  const left = () => Promise.all(nodes.flatMap((node) => keys.map((key) => keysLeft(node, `*${key}*`))));
  await until(async () => (await left()).flat().length === 0, { what: "the end of all keys" });
}

test("rule 12: keys on three primaries are one lock, in whatever order they are named", async (t) => {
  const [client, other] = [open(t), open(t)];
  const { nodes, keys } = await keyOnEach();
  const named = [keys[2], keys[0], keys[1], keys[2]];
  const lock = await client.acquire(named, { ttl: 20_000 });
  assert.deepEqual(lock.keys, [keys[2], keys[0], keys[1]]);
  for (const [at, node] of nodes.entries()) assert.equal(await tokenOf(node, keys[at]), lock.token);
  for (const key of keys) assert.equal(await other.tryAcquire(key), null);
  assert.equal(await other.tryAcquire(keys), null);
  await lock.extend(40_000);
  for (const [at, node] of nodes.entries()) assert.ok((await node.send("PTTL", `lock:${keys[at]}`)) > 30_000);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  await assertFree(nodes, keys);
});

test("rule 12: a try that one slot denies leaves the keys of the others free", async (t) => {
  const [client, other] = [open(t), open(t)];
  const { nodes, keys } = await keyOnEach();
  for (const key of keys) {
    const held = await other.acquire(key);
    assert.equal(await client.tryAcquire(keys), null);
    for (const free of keys.filter((each) => each !== key))
      assert.equal(await (await other.acquire(free, { wait: 1_000 })).release(), "released");
    assert.equal(await held.release(), "released");
  }
  await assertFree(nodes, keys);
});

test("rule 11: a waiter is woken by whichever slot denied it, and holds nothing until then", async (t) => {
  // They do not poll within the test.
  const patient = { retry: { min: 8_000, max: 16_000 }, wait: 30_000, ttl: 30_000 };
  const [client, other] = [open(t, patient), open(t, patient)];
  const { nodes, keys } = await keyOnEach();
  await (await client.acquire(keys)).release();
  for (const [at, key] of keys.entries()) {
    const held = await other.acquire(key);
    const { promise } = await afterFirstCall(nodes[at], () => client.acquire(keys));
    const free = keys.filter((each) => each !== key);
    await until(async () => (await keysLeft(nodes[at], `*waiters*${key}*`)).length === 1, {
      what: "the waiter",
    });
    for (const each of free) {
      const node = nodes[keys.indexOf(each)];
      await until(async () => (await tokenOf(node, each)) === null, { what: `${each} to be free` });
    }
    await held.release();
    const lock = await settles(promise, 4_000, "the grant");
    assert.equal(await lock.release(), "released");
  }
  await assertFree(nodes, keys);
});

test("rule 5: renewal keeps the keys of all slots, and notices that one is gone", async (t) => {
  const client = open(t);
  const { nodes, keys } = await keyOnEach();
  for (const gone of [0, 2]) {
    const lock = await client.acquire(keys, { ttl: 1_500, renew: true });
    await untilRenewed(client, 4, async () => {
      for (const [at, node] of nodes.entries()) assert.equal(await tokenOf(node, keys[at]), lock.token);
    });
    await nodes[gone].send("DEL", `lock:${keys[gone]}`);
    await settles(aborted(lock.signal), 5_000, "the loss");
    assert.match(lock.signal.reason.message, NOT_OURS);
    await assertFree(nodes, keys);
    assert.equal(await lock.release(), "expired");
  }
});

test("rule 4: a release and an adoption concern all slots", async (t) => {
  const [client, other] = [open(t), open(t)];
  const { nodes, keys } = await keyOnEach();
  const lock = await client.acquire(keys, { ttl: 20_000 });
  const heir = await other.adopt(JSON.parse(JSON.stringify(lock)));
  assert.equal(heir.fence, lock.fence);
  assert.equal(await lock.verify(), false, "the adopter has it");
  assert.equal(await heir.verify(), true);
  await nodes[1].send("DEL", `lock:${keys[1]}`);
  assert.equal(await heir.release(), "expired");
  await assertFree(nodes, keys);
});

test("rule 8: fences grow for each key, whether it is locked alone or with keys of other slots", async (t) => {
  const clients = [open(t), open(t)];
  const { nodes, keys } = await keyOnEach();
  const last = new Map(keys.map((key) => [key, 0n]));
  const ahead = async (at) => {
    // As after grants of many other locks, or by a clock that is ahead.
    const counters = await nodes[at].send("KEYS", "lock:redlatch:fence:*");
    const fence = String((Date.now() + 5_000 * (at + 1)) * 1_000);
    for (const counter of counters) await nodes[at].send("SET", counter, fence, "PX", 60_000);
  };
  const sets = [[0, 1, 2], [0], [2], [1, 2], [1], [2, 0], [0, 1], [0], [1], [2], [2, 1, 0]];
  for (let round = 0; round < 4; round += 1) {
    for (const [turn, set] of sets.entries()) {
      const chosen = set.map((at) => keys[at]);
      const lock = await clients[turn % 2].acquire(chosen.length === 1 ? chosen[0] : chosen);
      for (const key of chosen) {
        assert.ok(lock.fence > last.get(key), `${lock.fence} after ${last.get(key)} in round ${round}`);
        last.set(key, lock.fence);
      }
      assert.equal(await lock.release(), "released");
    }
    if (round < 3) await ahead(round);
  }
});

test("what cannot be a lock over several slots is refused before a byte is sent", async (t) => {
  const client = open(t);
  const { keys } = await keyOnEach();
  const fair = await rejection(client.acquire(keys, { fair: true }));
  assert.ok(fair instanceof TypeError, String(fair));
  assert.match(fair.message, /^fair: .*one slot.*hash tag/);
  const many = await rejection(client.acquire(Array.from({ length: 65 }, () => freshKey())));
  assert.ok(many instanceof RangeError, String(many));
  assert.match(many.message, /^key: .*64 slots/);
  assert.ok(client.inspect().nodes.every(({ state }) => state === "idle"));
  const all = Array.from({ length: 64 }, () => freshKey());
  assert.equal(await (await client.acquire(all)).release(), "released");
});

test("a slot that moves takes its keys along: the lock stays held, and a free one is granted in the end", async (t) => {
  const client = open(t);
  const { nodes, keys } = await keyOnEach();
  const [from, to] = nodes;
  const slot = await cluster.slotOf(`lock:${keys[0]}`);
  const held = await client.acquire(keys, { ttl: 3_000, renew: true });
  const free = [`{lock:${keys[0]}}free`, freshKey()];
  await cluster.beginMove(slot, from, to);
  const promise = client.acquire(free, { wait: 20_000 });
  await cluster.moveKeys(slot, from, to);
  await cluster.endMove(slot, to);
  const lock = await settles(promise, 10_000, "the lock whose slot has moved");
  await untilRenewed(client, 2, () => {});
  assert.equal(held.signal.aborted, false);
  assert.equal(await tokenOf(to, keys[0]), held.token);
  assert.equal(await held.verify(), true);
  assert.equal(await held.release(), "released");
  assert.equal(await lock.release(), "released");
  await cluster.moveSlot(slot, to, from);
});

test("a killed primary: the lock stays held if its replica has the keys, and a new one is granted then", async (t) => {
  const client = open(t, { wait: 30_000, nodeTimeout: 500 });
  const { nodes, keys } = await keyOnEach();
  const held = await client.acquire(keys, { ttl: 15_000, renew: true });
  const others = keys.map((key) => `{lock:${key}}other`);
  await (await client.acquire(others)).release();
  await nodes[1].send("WAIT", 1, 5_000);
  t.after(() => cluster.restart(nodes[1]));
  await cluster.kill(nodes[1]);
  const lock = await settles(client.acquire(others), 30_000, "a lock with keys on the one that was killed");
  assert.equal(held.signal.aborted, false);
  assert.equal(await held.verify(), true);
  assert.ok(held.remaining > 0);
  assert.equal(await held.release(), "released");
  assert.equal(await lock.release(), "released");
});

test("rule 12: philosophers, whose forks are in five slots, never wait in a circle, and no two share a fork", {
  timeout: 60_000 + MEALS * 60,
}, async (t) => {
  const SEATS = 5;
  const store = await startRedis(t);
  const nodes = await masters();
  const forks = [];
  for (let seat = 0; seat < SEATS; seat += 1)
    forks.push(await cluster.freshKeyOn(nodes[seat % nodes.length]));
  const script = new URL("../workers/philosopher.js", import.meta.url);
  const each = Math.ceil(MEALS / SEATS);
  const workers = forks.map((fork, seat) => {
    // Each names the fork at its left hand first: the order in which a naive multi lock runs into deadlock.
    const own = [fork, forks[(seat + 1) % SEATS]];
    return startWorker(t, script, { port: store.port, cluster: urls, forks: own, meals: each });
  });
  await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 30_000)));
  const before = await receivedBy(nodes, "evalsha", "eval");
  const began = performance.now();
  await store.send("RPUSH", "start", ...Array(SEATS).fill("go"));
  await Promise.all(workers.map((worker) => worker.said((message) => message.done, 30_000 + MEALS * 60)));
  const took = performance.now() - began;
  for (const worker of workers)
    assert.deepEqual(
      worker.messages.filter(({ problem }) => problem),
      [],
    );
  const used = await store.send("MGET", ...forks.map((fork) => `used:${fork}`));
  assert.deepEqual(used.map(Number), Array(SEATS).fill(2 * each), "meals per fork");
  const calls = (await receivedBy(nodes, "evalsha", "eval")) - before;
  t.diagnostic(
    `${each * SEATS} meals in ${took.toFixed(0)} ms; ${(calls / (each * SEATS)).toFixed(1)} calls of scripts per meal`,
  );
  await assertFree(nodes, forks);
});
