// A master that is replaced: the client turns to the new one, and the former one grants nothing any more.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, measureLateness, settles, until } from "../support/conditions.js";
import { MASTER, startSentinels } from "../support/sentinels.js";

// Not `after` itself, which ends with the test that calls it: a test starts a server again, for those that follow.
const ends = [];
after(() => Promise.all(ends.map((end) => end())));
const group = await startSentinels({ after: (end) => ends.push(end) });
const open = (t, options) => openClient(t, undefined, { sentinel: group.option, ...options });
const master = () => group.namedBy(group.sentinels[0]);
const holder = (server, key) => server.send("EXISTS", `lock:${key}`);

test("locks are on the master, and fences grow", async (t) => {
  const client = open(t);
  const key = freshKey();
  const first = await client.acquire(key);
  assert.equal(await holder(await master(), key), 1);
  await first.release();
  const second = await client.acquire([key, freshKey()], { fair: true });
  assert.ok(second.fence > first.fence);
  assert.equal(await second.release(), "released");
  const { nodes } = client.inspect();
  assert.deepEqual(
    nodes.map(({ state }) => state),
    ["ready", "ready", "ready", "ready"],
    "all sentinels, and the master",
  );
  assert.equal(nodes[3].node, `127.0.0.1:${(await master()).port}`);
});

test("a planned failover loses no renewed lock, and the former master grants nothing from the announcement on", async (t) => {
  const lateness = measureLateness(t);
  let left;
  const observe = ({ type, error }) => {
    if (type === "connection" && error?.message.includes("named another master")) left = performance.now();
  };
  const client = open(t, { wait: 20_000, retry: { min: 5, max: 20 }, observe });
  const key = freshKey();
  const held = await Promise.all(
    Array.from({ length: 20 }, () => client.acquire(freshKey(), { ttl: 3_000, renew: true })),
  );
  const former = await master();
  const listening = await group.sentinels[1].connect();
  await listening.send("SUBSCRIBE", "+switch-master");
  let grants = 0;
  let isOver = false;
  const work = (async () => {
    while (!isOver) {
      // A short lease: that the former master released it after the switch, the new one does not know.
      await (await client.acquire(key, { ttl: 1_000 })).release();
      grants += 1;
    }
  })();
  work.catch(() => {});
  const over = group.failOver();
  await until(() => listening.pushed.length > 0, { within: 20_000, every: 1, what: "the announcement" });
  const at = performance.now();
  await until(() => left !== undefined, { every: 1, what: "the end of the connection" });
  const delay = left - at;
  const since = await former.send("INFO", "commandstats");
  const before = grants;
  await until(() => grants > before + 20, { within: 10_000, what: "the grants by the new master" });
  isOver = true;
  await settles(work, 20_000, "the work");
  await over;
  const stats = (text) => /cmdstat_evalsha:calls=(\d+)/.exec(text)?.[1];
  assert.equal(
    stats(await former.send("INFO", "commandstats")),
    stats(since),
    "nobody asks the former master",
  );
  for (const lock of held) assert.equal(await lock.release(), "released");
  t.diagnostic(
    `the former master was left ${delay.toFixed(0)} ms after one sentinel's announcement; timers late by ${lateness().toFixed(0)} ms`,
  );
  assert.ok(delay <= 100 + lateness(), `${delay} ms`);
});

test("a killed master that comes back empty grants nothing", async (t) => {
  await group.untilReady();
  const client = open(t, { wait: 30_000, nodeTimeout: 500 });
  const key = freshKey();
  const lock = await client.acquire(key, { ttl: 20_000, renew: true });
  const former = await master();
  const [heir] = group.servers.filter((server) => server !== former);
  await until(() => holder(heir, key), { what: "the replica's copy" });
  await former.stop();
  const killed = performance.now();
  const other = client.acquire(freshKey());
  await group.untilReplaced(former);
  const again = await group.restart(former);
  const granted = await settles(other, 20_000, "the grant by the new master");
  assert.equal(await holder(await master(), granted.keys[0]), 1);
  t.diagnostic(`first grant ${(performance.now() - killed).toFixed(0)} ms after the kill`);
  // It takes itself for a master for another ten seconds.
  assert.match(await again.send("INFO", "replication"), /role:master/);
  for (let number = 0; number < 20; number += 1) {
    await (await client.acquire(freshKey())).release();
  }
  assert.equal(await again.send("DBSIZE"), 0);
  assert.equal(await granted.release(), "released");
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
});

test("a lock that the new master does not have is lost soon after the switch", async (t) => {
  await group.untilReady();
  const client = open(t);
  const former = await master();
  const [heir] = group.servers.filter((server) => server !== former);
  const lock = await client.acquire(freshKey(), { ttl: 60_000, renew: true });
  const lost = aborted(lock.signal);
  // As if its replication had been behind.
  await until(() => holder(heir, lock.keys[0]), { what: "the replica's copy" });
  await heir.send("CONFIG", "SET", "replica-read-only", "no");
  assert.equal(await heir.send("DEL", `lock:${lock.keys[0]}`), 1);
  await heir.send("CONFIG", "SET", "replica-read-only", "yes");
  await group.failOver();
  const switched = performance.now();
  await settles(lost, 5_000, "the loss");
  t.diagnostic(`told ${((await lost) - switched).toFixed(0)} ms after all sentinels knew`);
  assert.equal(await lock.release(), "expired");
});

test("a master that hangs is replaced, and what it does when it goes on is told to nobody", async (t) => {
  await group.untilReady();
  const client = open(t, { nodeTimeout: 20_000, connectTimeout: 20_000, wait: 30_000 });
  const former = await master();
  const keys = Array.from({ length: 40 }, () => freshKey());
  await (await client.acquire(keys[0])).release();
  former.pause();
  t.after(() => former.resume());
  const acquires = keys.map((key) => client.acquire(key));
  const heir = await group.untilReplaced(former);
  const locks = await settles(Promise.all(acquires), 20_000, "the grants");
  for (const key of keys) assert.equal(await holder(heir, key), 1, "granted by the heir");
  former.resume();
  for (const lock of locks) {
    assert.equal(lock.held, true);
    assert.equal(await lock.release(), "released");
  }
  assert.equal(client.inspect().counters.lost, 0);
  assert.equal(MASTER, group.option.name);
});
