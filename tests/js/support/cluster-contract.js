// What holds over every other client's cluster that carries the locks' commands.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "./assertions.js";
import { freshKey, openClient } from "./clients.js";
import { startCluster } from "./cluster.js";
import { rejection, settles, until } from "./conditions.js";
import { forwardingTo, startFakeServer } from "./fake-server.js";
import { clusterClients } from "./other-clients.js";
import { joinQueue } from "./queue.js";
import { ConnectionError, fromCommand, ServerError } from "./redlatch.js";
import { ALL } from "./rights.js";
import { afterFirstCall, keysLeft, tokenOf } from "./server-state.js";

const QUICK = { retry: { min: 5, max: 20 } };
const portsOf = ({ nodes }) => nodes.map(({ port }) => port);

/** A lock client over the other client that `open` opens; `events` are those of its connections. */
async function over(scope, open, cluster, options = {}) {
  const send = await open(scope, { ports: portsOf(cluster) });
  return openClient(scope, undefined, { transport: fromCommand(send), ...QUICK, ...options });
}

const two = (scope, open, cluster) => Promise.all([1, 2].map(() => over(scope, open, cluster)));

async function acquireAtOnce(client) {
  const acquires = Array.from({ length: 100 }, () => client.acquire(freshKey(), { wait: 10_000 }));
  const locks = await Promise.all(acquires);
  const released = await Promise.all(locks.map((lock) => lock.release()));
  assert.deepEqual(new Set(released), new Set(["released"]));
}

/** A name that shares its slot with others of that tag. */
const tagged = (tag) => () => `{${freshKey()}}${tag}`;

/**
 * By name: `check(scope, open, cluster, traits)`, with a cluster from startCluster of three nodes. `isPatient`: whether the
 * client repeats TRYAGAIN for longer than it waits for a reply.
 */
export const CHECKS = {
  async "a lock's whole life on each node, with fences that grow"(scope, open, cluster) {
    const [one, other] = await two(scope, open, cluster);
    for (const node of cluster.nodes) {
      const key = await cluster.freshKeyOn(node);
      const lock = await one.acquire(key, { ttl: 20_000, token: `token of ${key}` });
      assert.equal(await tokenOf(node, key), `token of ${key}`);
      await lock.extend(40_000);
      assert.ok((await node.send("PTTL", `lock:${key}`)) > 30_000);
      assert.equal(await lock.verify(), true);
      assert.equal(await other.tryAcquire(key), null);
      assert.equal(await lock.release(), "released");
      assert.deepEqual(await keysLeft(node, `*${key}*`), []);
      const next = await other.acquire(key);
      assert.ok(next.fence > lock.fence, `${next.fence} after ${lock.fence}`);
      await node.send("DEL", `lock:${key}`);
      assert.equal(await next.verify(), false);
      assert.equal(await next.release(), "expired");
    }
  },

  async "waiting, and being served"(scope, open, cluster) {
    const [one, other] = await two(scope, open, cluster);
    for (const node of cluster.nodes) {
      const key = await cluster.freshKeyOn(node);
      const lock = await one.acquire(key);
      assert.equal((await rejection(other.acquire(key, { wait: 300 }))).code, "LOCK_TIMEOUT");
      const { promise } = await afterFirstCall(node, () => other.acquire(key, { wait: 10_000 }));
      assert.equal(await lock.release(), "released");
      const next = await settles(promise, 5_000, "the turn of the one that waits");
      assert.ok(next.fence > lock.fence);
      assert.equal(await next.release(), "released");
    }
  },

  async "fair, in the order of arrival"(scope, open, cluster) {
    const clients = await two(scope, open, cluster);
    for (const node of cluster.nodes) {
      const key = await cluster.freshKeyOn(node);
      const holder = await clients[0].acquire(key, { fair: true });
      const served = [];
      const turns = [];
      for (const at of [0, 1, 2, 3]) {
        const { promise } = await joinQueue(node, key, () => clients[at % 2].acquire(key, { fair: true }));
        turns.push(promise.then((lock) => lock.release(served.push(at))));
      }
      await holder.release();
      await settles(Promise.all(turns), 5_000, "the queue");
      assert.deepEqual(served, [0, 1, 2, 3]);
      assert.deepEqual(await keysLeft(node, `*${key}*`), []);
    }
  },

  async "a lock on several keys with one hash tag"(scope, open, cluster) {
    const [one, other] = await two(scope, open, cluster);
    for (const node of cluster.nodes) {
      const key = await cluster.freshKeyOn(node, tagged("a"));
      const keys = [key, `${key}b`, `${key}c`];
      const lock = await one.acquire(keys);
      await lock.extend();
      assert.equal(await lock.verify(), true);
      for (const each of keys) assert.equal(await other.tryAcquire(each), null);
      const { promise } = await afterFirstCall(node, () => other.acquire(keys, { wait: 10_000 }));
      assert.equal(await lock.release(), "released");
      const next = await settles(promise, 5_000, "the turn of the one that waits");
      assert.equal(await next.release(), "released");
    }
  },

  async "a lock on keys in two slots is refused, by name, and leaves nothing held"(scope, open, cluster) {
    const client = await over(scope, open, cluster);
    for (const fair of [false, true]) {
      // On two nodes, and on one: it is the slots that count.
      for (const other of [cluster.nodes[1], cluster.nodes[0]]) {
        const keys = [await cluster.freshKeyOn(cluster.nodes[0]), await cluster.freshKeyOn(other)];
        const error = await rejection(client.acquire(keys, { fair, wait: 5_000 }));
        assertLockError(error, {
          type: ServerError,
          code: "LOCK_SERVER",
          prefix: "CROSSSLOT",
          says: [/hash tag/],
        });
        for (const node of cluster.nodes) {
          for (const key of keys) assert.deepEqual(await keysLeft(node, `*${key}*`), []);
        }
        for (const key of keys) assert.equal(await (await client.tryAcquire(key)).release(), "released");
      }
    }
  },

  async "100 acquires at once, over all slots"(scope, open, cluster) {
    const client = await over(scope, open, cluster);
    await (await client.acquire(freshKey())).release();
    await acquireAtOnce(client);
  },

  async "100 acquires at once, the first of the client"(scope, open, cluster) {
    await acquireAtOnce(await over(scope, open, cluster));
  },

  async "a slot that moves: held locks stay held, and a free one is granted in the end"(
    scope,
    open,
    cluster,
    { isPatient = false } = {},
  ) {
    const client = await over(scope, open, cluster);
    const [from, to] = cluster.nodes;
    const key = await cluster.freshKeyOn(from, tagged("held"));
    const slot = await cluster.slotOf(`lock:${key}`);
    const held = [];
    for (const end of ["", "2", "3"])
      held.push(await client.acquire(key + end, { ttl: isPatient ? 12_000 : 3_000, renew: true }));
    const untilAllRenewed = async () => {
      const { renewed } = client.inspect().counters;
      await until(() => client.inspect().counters.renewed >= renewed + held.length, { within: 15_000 });
    };

    await cluster.beginMove(slot, from, to);
    await untilAllRenewed();
    // The free lock has no keys yet: the source sends for it to the target, which has not all of them.
    const error = await rejection(client.tryAcquire(`${key}4`));
    if (isPatient) assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION" });
    else assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "TRYAGAIN" });
    const free = client.acquire(`${key}5`, { wait: 20_000 });
    await cluster.moveKeys(slot, from, to);
    await untilAllRenewed();
    await cluster.endMove(slot, to);
    const lock = await settles(free, 10_000, "the free lock");
    assert.equal(await tokenOf(to, `${key}5`), lock.token);
    await untilAllRenewed();
    for (const each of [...held, lock]) {
      assert.equal(each.signal.aborted, false);
      assert.equal(await each.verify(), true);
      assert.equal(await each.release(), "released");
    }
    if (!isPatient) assert.equal(client.inspect().counters.reconnects, 0, "TRYAGAIN breaks no connection");
    await cluster.moveSlot(slot, to, from);
  },

  async "a node that is killed: its locks fail, by name, and others are granted"(scope, open, cluster) {
    const client = await over(scope, open, cluster, { nodeTimeout: 500 });
    const [dead, ...others] = cluster.nodes;
    const lost = await client.acquire(await cluster.freshKeyOn(dead), { ttl: 1_500, renew: true });
    const late = await cluster.freshKeyOn(dead);
    const free = await Promise.all(others.map((node) => cluster.freshKeyOn(node)));
    await whileDead(cluster, dead, async () => {
      const error = await rejection(client.acquire(late, { wait: 1_000 }), 10_000);
      assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [DOWN] });
      await until(() => lost.signal.aborted, { what: "the word that the lock is lost" });
      assert.match(String(lost.signal.reason.cause), DOWN);
      const others = await Promise.all(free.map((key) => client.acquire(key, { wait: 5_000 })));
      for (const lock of others) assert.equal(await lock.release(), "released");
    });
    const lock = await client.acquire(late, { wait: 20_000 });
    assert.equal(await lock.release(), "released");
    const left = await keysLeft(cluster.nodes[0]);
    assert.deepEqual(left, [], "nothing that was given up is done later");
  },

  async "a node that is killed: held locks on the others are renewed"(scope, open, cluster) {
    const client = await over(scope, open, cluster, { nodeTimeout: 500 });
    const [dead, ...others] = cluster.nodes;
    const kept = [];
    for (const node of others)
      kept.push(await client.acquire(await cluster.freshKeyOn(node), { ttl: 3_000, renew: true }));
    const late = await cluster.freshKeyOn(dead);
    await whileDead(cluster, dead, async () => {
      await rejection(client.acquire(late, { wait: 500 }), 10_000);
      const { renewed } = client.inspect().counters;
      await until(() => client.inspect().counters.renewed >= renewed + 4 * kept.length, { within: 20_000 });
    });
    for (const lock of kept) {
      assert.equal(lock.signal.aborted, false);
      assert.equal(await lock.release(), "released");
    }
  },

  async "a command whose reply is lost is not sent again, but asked anew by us"(scope, open, cluster) {
    const [node, ...others] = cluster.nodes;
    const key = await cluster.freshKeyOn(node);
    let cut;
    const real = await forwardingTo(node, (args, connection) => {
      if (!args[0].startsWith("EVAL") || !args.includes(`lock:${key}`) || cut !== undefined) return undefined;
      // The nonce, which follows the keys.
      cut = args[3 + Number(args[2])];
      connection.cut();
      return null;
    });
    const fake = await startFakeServer(scope, real);
    await node.send("CONFIG", "SET", "cluster-announce-port", fake.port);
    try {
      await cluster.untilPortKnown(node, fake.port);
      // All that the client sends to that node passes here.
      const client = await over(scope, open, { nodes: [fake, ...others] }, { nodeTimeout: 500 });
      const lock = await client.acquire(key, { wait: 20_000 });
      assert.equal(await lock.release(), "released");
      assert.equal(fake.commands.filter((args) => args.includes(cut)).length, 1);
    } finally {
      await node.send("CONFIG", "SET", "cluster-announce-port", node.port);
      await cluster.untilPortKnown(node, node.port);
    }
  },
};

/** What clients say of a node that is gone. */
const DOWN = /[Cc]onnection|ECONNREFUSED|client is offline|Socket closed|timed out|no answer/;

/** Kills that node for as long as `work()` takes. */
async function whileDead(cluster, node, work) {
  await node.stop();
  try {
    await work();
  } finally {
    await cluster.restart(node);
  }
}

const TRAITS = { GLIDE: { isPatient: true } };

/** Tests these of `clusterClients` on one cluster of three nodes, and returns the cluster. */
export async function testOver(names) {
  // Not `after` itself, which ends with the test that calls it: tests start nodes again, for those that follow.
  const ends = [];
  after(() => Promise.all(ends.map((end) => end())));
  // Everything is allowed: the clients send commands of their own.
  const cluster = await startCluster({ after: (end) => ends.push(end) }, { rights: ALL });
  for (const name of names) {
    for (const [what, check] of Object.entries(CHECKS)) {
      test(`${name}: ${what}`, { timeout: 60_000 }, (t) =>
        check(t, clusterClients[name], cluster, TRAITS[name]),
      );
    }
  }
  return cluster;
}
