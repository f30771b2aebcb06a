// With the option `replicas`, a failover of a cluster loses no lock, even if the primary is killed; and a former primary's grants
// do not count, because it has no replica any more.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { receivedBy } from "../support/cluster-state.js";
import { rejection, until } from "../support/conditions.js";
import { ServerError } from "../support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";

const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const cluster = await startCluster(
  { after: (end) => ends.push(end) },
  { replicas: 1, rights: [...NEEDED_IN_CLUSTER, "+wait"], config: { "cluster-node-timeout": 1_000 } },
);
const urls = cluster.nodes.map(({ url }) => url);
const open = (t, options) => openClient(t, undefined, { cluster: urls, replicas: 1, ...options });

async function freshKeysOn(node, count) {
  const keys = [];
  while (keys.length < count) keys.push(await cluster.freshKeyOn(node));
  return keys;
}

test("a primary without its replica grants nothing, and the other shards go on", async (t) => {
  const client = open(t, { nodeTimeout: 300 });
  const [primary, other] = cluster.nodes;
  const [key] = await freshKeysOn(primary, 1);
  const [elsewhere] = await freshKeysOn(other, 1);
  const [, replica] = cluster.shard(0);
  replica.pause();
  try {
    const error = await rejection(client.acquire(key, { wait: 0 }), 10_000);
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "NOREPLICAS",
      port: primary.port,
    });
    assert.equal(await (await client.acquire(elsewhere)).release(), "released");
  } finally {
    replica.resume();
  }
  assert.equal(await (await client.acquire(key, { wait: 10_000 })).release(), "released");
});

test("a killed primary: its replica has every lock that was granted", async (t) => {
  const client = open(t, { nodeTimeout: 300 });
  const dead = await cluster.untilMaster(1);
  const [replica] = cluster.shard(1).filter((node) => node !== dead);
  const keys = await freshKeysOn(dead, 100);
  const granted = [];
  const acquireAll = (names) =>
    Promise.all(
      names.map((key) =>
        client.acquire(key, { ttl: 60_000, wait: 0 }).then(
          (lock) => granted.push(lock),
          ({ prefix }) => prefix,
        ),
      ),
    );
  await acquireAll(keys.slice(0, 80));
  assert.equal(granted.length, 80);
  // Nothing that the primary takes from now on reaches its replica.
  replica.pause();
  await dead.send("CLIENT", "KILL", "TYPE", "replica");
  const refused = await acquireAll(keys.slice(80));
  t.after(() => cluster.restart(dead));
  await cluster.kill(dead);
  replica.resume();
  const heir = await cluster.untilMaster(1);
  assert.equal(heir, replica);
  const missing = [];
  for (const lock of granted) {
    if ((await heir.send("GET", `lock:${lock.keys[0]}`)) !== lock.token) missing.push(lock.keys[0]);
  }
  assert.deepEqual(missing, []);
  assert.deepEqual(new Set(refused), new Set(["NOREPLICAS"]));
});

test("a former primary that resumes: what it grants is told to nobody, though the client knows of no other", async (t) => {
  const client = open(t, { nodeTimeout: 20_000, connectTimeout: 20_000, retry: { min: 20, max: 50 } });
  const former = await cluster.untilMaster(2);
  const keys = await freshKeysOn(former, 40);
  for (const key of keys) await (await client.acquire(key)).release();
  const connection = await former.connect();
  const received = () => receivedBy([connection], "evalsha", "eval");
  const before = await received();
  cluster.pause(former);
  const told = [];
  const acquires = keys.map((key) => client.acquire(key, { wait: 6_000 }).then((lock) => told.push(lock)));
  for (const each of acquires) each.catch(() => {});
  const heir = await cluster.untilMaster(2);
  for (const key of keys) await heir.send("SET", `lock:${key}`, "another owner's", "PX", 60_000);
  cluster.resume(former);
  await until(async () => (await received()) > before, { within: 10_000, what: "the commands in its queue" });
  const results = await Promise.allSettled(acquires);
  assert.deepEqual(told, [], "a grant by the former primary");
  assert.ok(results.every(({ status }) => status === "rejected"));
  await cluster.untilUp();
});
