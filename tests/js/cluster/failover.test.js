// Failovers within a cluster: planned ones harm nobody, a killed server is missed no longer than it must be, and one that has been
// replaced grants nothing.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { receivedBy } from "../support/cluster-state.js";
import { measureLateness, rejection, settles, until } from "../support/conditions.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";

const SHARDS = 3;
// Not `after` itself, which ends with the test that calls it: a test starts a server again, for those that follow.
const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const cluster = await startCluster(
  { after: (end) => ends.push(end) },
  { replicas: 1, rights: NEEDED_IN_CLUSTER, config: { "cluster-node-timeout": 1_000 } },
);
const urls = cluster.nodes.map(({ url }) => url);
const open = (t, options) => openClient(t, undefined, { cluster: urls, ...options });

/** Names on each shard, `count` of them; a failover changes nothing about them. */
async function keysOf(count) {
  const byShard = [];
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const master = await cluster.untilMaster(shard);
    const keys = [];
    while (keys.length < count) keys.push(await cluster.freshKeyOn(master));
    byShard.push(keys);
  }
  return byShard;
}

test("a replica is as good a seed as a master", async (t) => {
  const [first] = cluster.replicas;
  const client = openClient(t, undefined, { cluster: [first.url] });
  for (const [key] of await keysOf(1)) assert.equal(await (await client.acquire(key)).release(), "released");
  const used = client.inspect().nodes.filter(({ state }) => state === "ready");
  assert.equal(used.length, SHARDS + 1, "the seed, for the map alone, and each master");
});

test("planned failovers under load: no lock is lost, no acquire fails, and nothing stalls for long", async (t) => {
  const lateness = measureLateness(t);
  const client = open(t, { wait: 10_000, retry: { min: 5, max: 20 } });
  const keys = (await keysOf(20)).flat();
  const held = await Promise.all(
    keys.slice(0, 30).map((key) => client.acquire(`${key}:held`, { ttl: 3_000, renew: true })),
  );
  let isOver = false;
  let longest = 0;
  let slowest = 0;
  let done = 0;
  const work = async (key) => {
    while (!isOver) {
      const began = performance.now();
      const lock = await client.acquire(key);
      longest = Math.max(longest, performance.now() - began);
      assert.equal(await lock.release(), "released");
      done += 1;
    }
  };
  const load = Promise.all(keys.map(work));
  load.catch(() => {});
  for (let shard = 0; shard < SHARDS; shard += 1) {
    const before = done;
    const began = performance.now();
    await cluster.failOver(shard);
    slowest = Math.max(slowest, performance.now() - began);
    await until(() => done > before + 500, { within: 10_000, what: "the load after the failover" });
  }
  isOver = true;
  await settles(load, 20_000, "the load");
  const { renewed, lost } = client.inspect().counters;
  assert.equal(lost, 0);
  await until(() => client.inspect().counters.renewed >= renewed + held.length, { within: 10_000 });
  for (const lock of held) assert.equal(await lock.release(), "released");
  t.diagnostic(
    `longest acquire: ${longest.toFixed(0)} ms of ${done}; longest failover: ${slowest.toFixed(0)} ms; timers late by up to ${lateness().toFixed(0)} ms`,
  );
  // While a master waits for its replica to take over, it answers nobody.
  assert.ok(longest <= slowest + 250 + lateness(), `${longest} ms`);
});

test("a killed master: the first grant comes soon after its replica serves, and few commands are sent until then", async (t) => {
  const lateness = measureLateness(t);
  const client = open(t, { wait: 30_000, nodeTimeout: 500 });
  const [[probe, ...keys], others] = await keysOf(200);
  for (const key of [keys[0], others[0]]) await (await client.acquire(key)).release();
  const held = await client.acquire(others[1], { ttl: 2_000, renew: true });
  const dead = await cluster.untilMaster(0);
  const [heir] = cluster.shard(0).filter((node) => node !== dead);
  const living = [heir, ...cluster.shard(1), ...cluster.shard(2)];
  const counted = () => receivedBy(living, "evalsha", "eval", "cluster|slots", "hello");
  let first;
  t.after(() => cluster.restart(dead));
  await cluster.kill(dead);
  const killed = performance.now();
  const waiting = keys.map((key) =>
    client.acquire(key).then((lock) => {
      first ??= performance.now();
      return lock.release();
    }),
  );
  const probing = await heir.dial();
  t.after(() => probing.close());
  // The heir's own word, as a script of ours would get it: it writes, and needs the slot.
  const serves = () =>
    probing.send("EVAL", "return redis.call('set', KEYS[1], 'x', 'px', 1)", 1, `lock:${probe}`).then(
      () => true,
      () => false,
    );
  const beforeOutage = await counted();
  let probes = 0;
  await until(
    async () => {
      probes += 1;
      return serves();
    },
    { within: 20_000, every: 10, what: "the heir" },
  );
  const served = performance.now();
  const sent = (await counted()) - beforeOutage - probes;
  const outage = (served - killed) / 1_000;
  await until(() => first !== undefined, { within: 10_000, what: "the first grant" });
  const delay = first - served;
  assert.deepEqual(
    new Set(await settles(Promise.all(waiting), 20_000, "the waiters")),
    new Set(["released"]),
  );
  t.diagnostic(
    `outage ${(outage * 1_000).toFixed(0)} ms; ${(sent / outage).toFixed(0)} commands/s; first grant ${delay.toFixed(0)} ms later`,
  );
  assert.equal(held.signal.aborted, false, "the other shards go on");
  assert.equal(await held.release(), "released");
  assert.ok(delay <= 500 + lateness(), `${delay} ms`);
  assert.ok(sent / outage <= 20 + 5, `${sent} commands in ${outage} s`);
});

test("a master that was stopped and replaced: what it grants when it goes on is told to nobody", async (t) => {
  // Its connection counts as alive for all of the test, so that its answers would be heard.
  const client = open(t, { nodeTimeout: 20_000, connectTimeout: 20_000, retry: { min: 20, max: 50 } });
  const [, [proof, ...keys], [elsewhere]] = await keysOf(41);
  for (const each of [proof, ...keys, elsewhere]) await (await client.acquire(each)).release();
  const former = await cluster.untilMaster(1);
  const connection = await former.connect();
  const received = () => receivedBy([connection], "evalsha", "eval");
  const before = await received();
  cluster.pause(former);
  const told = [];
  const acquires = keys.map((key) => client.acquire(key, { wait: 6_000 }));
  for (const each of acquires)
    each.then(
      (lock) => told.push(lock),
      () => {},
    );
  const heir = await cluster.untilMaster(1);
  // Given away: nobody else may have them now.
  for (const key of keys) await heir.send("SET", `lock:${key}`, "another owner's", "PX", 60_000);
  // A slot of another shard moves, so the client asks for the map; then it finds the heir.
  const [from, to] = await Promise.all([cluster.untilMaster(2), cluster.untilMaster(0)]);
  const slot = await cluster.slotOf(`lock:${elsewhere}`);
  await cluster.moveSlot(slot, from, to);
  await (await client.acquire(elsewhere, { wait: 10_000 })).release();
  await (await client.acquire(proof, { wait: 10_000 })).release();
  cluster.resume(former);
  await until(async () => (await received()) > before, { within: 10_000, what: "the commands in its queue" });
  const errors = await Promise.all(acquires.map((each) => rejection(each, 10_000).catch(String)));
  assert.deepEqual(told, [], "a grant by the former master");
  for (const error of errors) assert.equal(error.code, "LOCK_TIMEOUT", String(error));
  await cluster.untilUp();
});
