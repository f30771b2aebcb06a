// Redlocks whose votes are a cluster, a master behind sentinels, and a server.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "./support/clients.js";
import { startCluster } from "./support/cluster.js";
import { rejection, settles, until, untilRenewed } from "./support/conditions.js";
import { startRedis } from "./support/redis.js";
import { ANY_PREFIX, NEEDED_IN_CLUSTER } from "./support/rights.js";
import { startSentinels } from "./support/sentinels.js";
import { keysLeft, tokenOf } from "./support/server-state.js";

// Not `after` itself, which ends with the test that calls it: a test starts a server again, for those that follow.
const ends = [];
const scope = { after: (end) => ends.push(end) };
after(() => Promise.all(ends.map((end) => end())));
const [cluster, group, first] = await Promise.all([
  startCluster(scope, { replicas: 1, rights: NEEDED_IN_CLUSTER }),
  startSentinels(scope, { rights: ANY_PREFIX }),
  startRedis(scope, { rights: ANY_PREFIX }),
]);
let server = first;
const seeds = cluster.nodes.map(({ url }) => url);
const nodes = [{ cluster: seeds }, { sentinel: group.option }, first.url];
const open = (t, options) =>
  openClient(t, undefined, { nodes, wait: 20_000, retry: { min: 5, max: 20 }, ...options });

/** The server of each vote that has the key now. */
const serversOf = async (key) => [
  await cluster.ownerOf(`lock:${key}`),
  await group.namedBy(group.sentinels[0]),
  server,
];
const tokensOf = async (key) => Promise.all((await serversOf(key)).map((each) => tokenOf(each, key)));

test("a lock is on one server of each vote", async (t) => {
  const [client, other] = [open(t), open(t)];
  const key = freshKey();
  const lock = await client.acquire(key);
  await until(async () => (await tokensOf(key)).every((token) => token === lock.token), {
    what: "the key on all of them",
  });
  assert.equal(lock.fence, null);
  assert.equal(await other.tryAcquire(key), null);
  await lock.extend(40_000);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  assert.deepEqual(await Promise.all((await serversOf(key)).map((each) => keysLeft(each, `*${key}*`))), [
    [],
    [],
    [],
  ]);
  await (await other.acquire(key)).release();
});

test("renewed locks outlive a failover of each group and a server that starts empty", async (t) => {
  const client = open(t);
  const locks = await Promise.all(
    Array.from({ length: 20 }, () => client.acquire(freshKey(), { ttl: 4_000, renew: true })),
  );
  const assertHeld = () => assert.ok(locks.every(({ signal }) => !signal.aborted));
  for (const happens of [
    () => cluster.failOver(0),
    () => group.failOver(),
    async () => {
      const { port, folder } = server;
      await server.stop();
      server = await startRedis(scope, { port, folder, rights: ANY_PREFIX });
    },
    () => cluster.failOver(1),
  ]) {
    await happens();
    const { renewed } = client.inspect().counters;
    await untilRenewed(client, renewed + 2 * locks.length, assertHeld);
  }
  // Each vote that had lost a lock has it again.
  for (const { key, token } of locks.map((lock) => ({ key: lock.keys[0], token: lock.token })))
    await until(async () => (await tokensOf(key)).every((each) => each === token), { what: `${key} on all` });
  assert.deepEqual(
    await Promise.all(locks.map((lock) => lock.release())),
    locks.map(() => "released"),
  );
});

test("two votes of three suffice, and one does not: the error says how each voted", async (t) => {
  const strange = { name: "other", sentinels: group.option.sentinels };
  const two = open(t, { nodes: [{ cluster: seeds }, { sentinel: strange }, server.url] });
  await (await two.acquire(freshKey())).release();
  const one = open(t, {
    nodes: [{ cluster: seeds }, { sentinel: strange }, "redis://127.0.0.1:1"],
    wait: 500,
    observe() {},
  });
  const error = await rejection(one.acquire(freshKey()));
  assert.equal(error.code, "LOCK_QUORUM");
  const outcomes = error.votes.map(({ outcome, error: cause }) => [outcome, cause?.prefix ?? cause?.code]);
  assert.deepEqual(outcomes, [
    ["granted", undefined],
    ["failed", "NOMASTER"],
    ["failed", "LOCK_CONNECTION"],
  ]);
});

test("servers that belong to two votes have one", async (t) => {
  const halves = seeds.map((seed) => ({ cluster: [seed] }));
  const twice = [
    { sentinel: group.option },
    { sentinel: { ...group.option, sentinels: [group.option.sentinels[0]] } },
  ];
  assert.throws(() => open(t, { nodes: twice }), RangeError);
  const client = open(t, { nodes: [server.url, ...halves.slice(0, 2)] });
  const lock = await client.acquire(freshKey());
  assert.equal(await settles(lock.release()), "released");
  const alone = open(t, { nodes: halves.slice(0, 2), wait: 5_000 });
  const error = await rejection(alone.acquire(freshKey()), 10_000);
  assert.equal(error.votes?.find(({ error: cause }) => cause)?.error.prefix, "SAMESERVERS", String(error));
});

test("a master that is listed in another vote is not connected to for its sentinels", async (t) => {
  const master = await group.namedBy(group.sentinels[0]);
  const options = { wait: 500, observe() {} };
  const [two, one] = [server.url, "redis://127.0.0.1:1"].map((url) =>
    open(t, { nodes: [master.url, { sentinel: group.option }, url], ...options }),
  );
  await (await two.acquire(freshKey())).release();
  const error = await rejection(one.acquire(freshKey()));
  assert.match(
    String(error.votes?.[1].error),
    /refusing to connect to .*, which belongs to another one of `nodes`/,
  );
});

test("fair locks, and keys in several slots, are refused", async (t) => {
  const client = open(t);
  await assert.rejects(client.acquire("a", { fair: true }), /^TypeError: fair: requires a single server/);
  await assert.rejects(client.acquire(["a", "b"]), /^TypeError: key: must be in one slot/);
  await (await client.acquire(["{a}:1", "{a}:2"])).release();
});
