// Slots that move from server to server: held locks stay held, and what waits is granted as soon as the slot has arrived.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { redirectionsOf } from "../support/cluster-state.js";
import { measureLateness, settles, until } from "../support/conditions.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";
import { tokenOf } from "../support/server-state.js";

const cluster = await startCluster({ after }, { nodes: 2, rights: NEEDED_IN_CLUSTER });
const [one, other] = cluster.nodes;
const open = (t, options) =>
  openClient(t, undefined, { cluster: [one.url], retry: { min: 5, max: 20 }, wait: 10_000, ...options });

/** Tags whose slots are on that server, each in a slot of its own. */
async function tagsOn(node, count) {
  const slots = new Map();
  while (slots.size < count) {
    const key = await cluster.freshKeyOn(node, () => `{${freshKey()}}`);
    slots.set(await cluster.slotOf(key), key);
  }
  return [...slots].map(([slot, tag]) => ({ slot, tag }));
}

test("no renewed lock is lost while its slot moves, and the first grant comes soon after the move", async (t) => {
  const client = open(t);
  const moving = await tagsOn(one, 20);
  const held = [];
  for (const { tag } of moving)
    for (const end of ["a", "b", "c"])
      held.push(await client.acquire(tag + end, { ttl: 3_000, renew: true }));
  const filler = moving.flatMap(({ tag }) => Array.from({ length: 100 }, (_, at) => `${tag}filler${at}`));
  for (const key of filler) await one.send("SET", key, "x".repeat(100));
  const delays = [];
  const lateness = measureLateness(t);
  for (const { slot, tag } of moving) {
    await cluster.beginMove(slot, one, other);
    // Nothing of it is there: the source sends for it to the target, which has not all of its keys.
    const free = client.acquire(`${tag}free`);
    let isGranted = false;
    free.then(
      () => (isGranted = true),
      () => {},
    );
    while ((await cluster.moveKeys(slot, one, other, 30)).length > 0);
    await cluster.endMove(slot, other);
    const moved = performance.now();
    const lock = await settles(free, 10_000, "the lock whose slot has moved");
    delays.push(isGranted ? performance.now() - moved : 0);
    assert.equal(await tokenOf(other, `${tag}free`), lock.token);
    assert.equal(await lock.release(), "released");
  }
  const { renewed } = client.inspect().counters;
  await until(() => client.inspect().counters.renewed >= renewed + held.length, { within: 10_000 });
  assert.equal(client.inspect().counters.lost, 0);
  for (const lock of held) {
    assert.equal(lock.signal.aborted, false);
    assert.equal(await lock.verify(), true);
    assert.equal(await lock.release(), "released");
  }
  assert.equal(client.inspect().counters.reconnects, 0, "a slot that moves breaks no connection");
  t.diagnostic(`first grant after the move: at most ${Math.max(...delays).toFixed(0)} ms`);
  assert.ok(Math.max(...delays) <= 300 + lateness(), `${delays.map(Math.round)}`);
  const before = await redirectionsOf(cluster.nodes);
  for (const { tag } of moving) await (await client.acquire(`${tag}after`)).release();
  assert.ok((await redirectionsOf(cluster.nodes)) - before <= moving.length, "each slot is learnt of once");
  const learnt = await redirectionsOf(cluster.nodes);
  for (const { tag } of moving) await (await client.acquire(`${tag}after`)).release();
  assert.equal(await redirectionsOf(cluster.nodes), learnt, "and then known");
});

test("a lock whose keys are all at the target is extended, verified and released there by ASK, which changes no map", async (t) => {
  const client = open(t);
  const [{ slot, tag }] = await tagsOn(one, 1);
  const lock = await client.acquire(`${tag}held`, { ttl: 30_000 });
  // A waiter registers itself, and then release has all of its keys too.
  const waiting = open(t).acquire(`${tag}held`, { wait: 20_000 });
  waiting.catch(() => {});
  await until(async () => (await one.send("CLUSTER", "COUNTKEYSINSLOT", slot)) >= 3, { what: "the waiter" });
  await cluster.beginMove(slot, one, other);
  while ((await cluster.moveKeys(slot, one, other)).length > 0);
  const asked = await redirectionsOf([one]);
  await lock.extend(40_000);
  assert.equal(await lock.verify(), true);
  assert.ok((await redirectionsOf([one])) >= asked + 2, "each is sent away by the source");
  await other.send("ASKING");
  assert.ok((await other.send("PTTL", `lock:${tag}held`)) > 30_000);
  assert.equal(await settles(lock.release(), 5_000), "released");
  await cluster.endMove(slot, other);
  const next = await settles(waiting, 10_000, "the waiter's turn");
  assert.ok(next.fence > lock.fence);
  assert.equal(await next.release(), "released");
});

test("a single attempt in a slot that moves fails and says why; it is not told that the lock is held", async (t) => {
  const client = open(t);
  const [{ slot, tag }] = await tagsOn(one, 1);
  await cluster.beginMove(slot, one, other);
  await assert.rejects(client.tryAcquire(`${tag}free`), (error) => {
    assert.equal(error.code, "LOCK_SERVER");
    assert.equal(error.prefix, "TRYAGAIN");
    assert.match(error.node, new RegExp(`:${other.port}$`), "the target has said it");
    return true;
  });
  while ((await cluster.moveKeys(slot, one, other)).length > 0);
  await cluster.endMove(slot, other);
  assert.equal(await (await client.tryAcquire(`${tag}free`)).release(), "released");
});
