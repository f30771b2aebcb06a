// What the server does for each operation, counted by the server itself: the commands of clients, and what scripts call.
// The numbers are exact. Whoever changes them decides it, and writes here what it costs now.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { afterFirstCall, loadScripts } from "../support/server-state.js";

const servers = await Promise.all([1, 2, 3].map(() => startRedis({ after })));
const [server] = servers;
await Promise.all(servers.map(loadScripts));

/** Nobody polls, renews or looks at a silent connection while the test runs. */
const CALM = { retry: { min: 60_000, max: 120_000 }, ttl: 600_000, wait: 60_000, nodeTimeout: 60_000 };

/** Every command that a server ran since its counters were reset, but for those of the test itself. */
async function commandsOf(each) {
  const statistics = await each.send("INFO", "commandstats");
  return [...statistics.matchAll(/cmdstat_([^:]+):calls=(\d+)/g)]
    .filter(([, name]) => !/^(info|config\|.*)$/.test(name))
    .map(([, name, calls]) => [name, Number(calls)]);
}

/** What the servers did for `act`, as the table says it: the scripts that clients called, and what these called. */
async function costOf(act, on = [server]) {
  await Promise.all(on.map((each) => each.send("CONFIG", "RESETSTAT")));
  const result = await act();
  const sum = {};
  for (const commands of await Promise.all(on.map(commandsOf)))
    for (const [name, calls] of commands) sum[name] = (sum[name] ?? 0) + calls;
  const { evalsha, ...inside } = sum;
  const calls = Object.entries(inside).sort(([one], [other]) => (one < other ? -1 : 1));
  const all = calls.reduce((total, [, times]) => total + times, 0);
  const cost = `${evalsha} script${evalsha === 1 ? "" : "s"}, ${all} calls: ${calls.map(([name, times]) => `${times} ${name}`).join(", ")}`;
  return { cost, result };
}

const pairs = (client, keys) => Promise.all(keys.map(async (key) => (await client.acquire(key)).release()));
const freshKeys = (count) => Array.from({ length: count }, () => freshKey());

test("pairs that are in flight at once share scripts, and each of at most 32 pays for itself", async (t) => {
  const client = openClient(t, server, CALM);
  const counted = {};
  for (const inFlight of [1, 2, 32]) {
    const keys = freshKeys(inFlight);
    await pairs(client, keys);
    counted[inFlight] = (await costOf(() => pairs(client, keys))).cost;
  }
  assert.deepEqual(counted, {
    1: "2 scripts, 7 calls: 1 del, 1 exists, 2 get, 2 set, 1 time",
    2: "2 scripts, 9 calls: 1 del, 1 exists, 3 get, 3 set, 1 time",
    // In two halves.
    32: "4 scripts, 74 calls: 2 del, 2 exists, 34 get, 34 set, 2 time",
  });
});

test("512 pairs in flight: a call of a script for each 32 acquires, and for as many releases as one reading brings", async (t) => {
  const client = openClient(t, server, CALM);
  const keys = freshKeys(512);
  await pairs(client, keys);
  const { cost } = await costOf(() => pairs(client, keys));
  const [scripts, calls] = cost.match(/\d+/g).map(Number);
  // 16 and 16, and one for each further part in which the answers came.
  assert.ok(scripts >= 32 && scripts <= 40, cost);
  assert.ok(calls <= 512 * 2 + 32 * 3 + 24, cost);
});

// For each operation: a client, what it locks, and with which options.
const OPERATIONS = {
  plain: { names: 1 },
  "plain, one try": { names: 1, options: { wait: 0 } },
  "plain, own token": { names: 1, options: { token: "mine" } },
  fair: { names: 1, options: { fair: true } },
  "10 keys": { names: 10 },
  "10 keys, fair": { names: 10, options: { fair: true } },
  "Redlock of 3": { names: 1, on: servers },
};

test("a lock on its own: acquire, extension, verification, release", async (t) => {
  const counted = {};
  for (const [what, { names, options, on = [server] }] of Object.entries(OPERATIONS)) {
    const client = openClient(t, on, CALM);
    const keys = freshKeys(names);
    // A majority answers before all have, and the last server may not even be connected by then.
    const allAnswered = () =>
      until(() => client.inspect().nodes.every(({ state, pending }) => state === "ready" && pending === 0));
    // The first use of a connection greets the server.
    await (await client.acquire(keys, options)).release();
    await allAnswered();
    const settled = (act) =>
      costOf(async () => {
        const result = await act();
        await allAnswered();
        return result;
      }, on);
    const { cost: acquire, result: lock } = await settled(() => client.acquire(keys, options));
    const { cost: extend } = await settled(() => lock.extend(700_000));
    const { cost: verify } = await settled(() => lock.verify());
    const { cost: release } = await settled(() => lock.release());
    counted[what] = { acquire, extend, release };
    assert.equal(verify, extend, `${what}: a verification costs as much as an extension`);
  }
  assert.deepEqual(counted, {
    plain: {
      acquire: "1 script, 4 calls: 1 get, 2 set, 1 time",
      extend: "1 script, 3 calls: 1 get, 1 pexpire, 1 pttl",
      release: "1 script, 3 calls: 1 del, 1 exists, 1 get",
    },
    "plain, one try": {
      acquire: "1 script, 4 calls: 1 get, 2 set, 1 time",
      extend: "1 script, 3 calls: 1 get, 1 pexpire, 1 pttl",
      release: "1 script, 3 calls: 1 del, 1 exists, 1 get",
    },
    "plain, own token": {
      acquire: "1 script, 4 calls: 1 get, 2 set, 1 time",
      extend: "1 script, 3 calls: 1 get, 1 pexpire, 1 pttl",
      release: "1 script, 3 calls: 1 del, 1 exists, 1 get",
    },
    fair: {
      acquire: "1 script, 8 calls: 2 get, 2 set, 1 time, 1 zcard, 1 zrange, 1 zscore",
      extend: "1 script, 3 calls: 1 get, 1 pexpire, 1 pttl",
      release: "1 script, 5 calls: 1 del, 1 get, 1 time, 1 zcard, 1 zrange",
    },
    "10 keys": {
      acquire: "1 script, 33 calls: 11 get, 11 set, 1 time, 10 zscore",
      extend: "1 script, 30 calls: 10 get, 10 pexpire, 10 pttl",
      release: "1 script, 12 calls: 1 del, 1 exists, 10 get",
    },
    "10 keys, fair": {
      acquire: "1 script, 53 calls: 11 get, 11 set, 1 time, 10 zcard, 10 zrange, 10 zscore",
      extend: "1 script, 30 calls: 10 get, 10 pexpire, 10 pttl",
      release: "1 script, 32 calls: 1 del, 10 get, 1 time, 10 zcard, 10 zrange",
    },
    "Redlock of 3": {
      acquire: "3 scripts, 3 calls: 3 set",
      extend: "3 scripts, 9 calls: 3 get, 3 pexpire, 3 pttl",
      release: "3 scripts, 6 calls: 3 del, 3 get",
    },
  });
});

test("a contended lock: the denied attempt, the hand-over to the waiter, the last release", async (t) => {
  const counted = {};
  for (const fair of [false, true]) {
    const [holder, waiter] = [1, 2].map(() => openClient(t, server, CALM));
    const handOver = async () => {
      const key = freshKey();
      const held = await holder.acquire(key, { fair });
      const { cost: wait, result } = await costOf(() =>
        afterFirstCall(server, () => waiter.acquire(key, { fair })),
      );
      const { cost: wake, result: lock } = await costOf(async () => {
        await held.release();
        return result.promise;
      });
      const { cost: last } = await costOf(() => lock.release());
      return { "the waiter's attempt": wait, "release and the waiter's grant": wake, "last release": last };
    };
    await handOver();
    counted[fair ? "fair" : "plain"] = await handOver();
  }
  assert.deepEqual(counted, {
    plain: {
      "the waiter's attempt": "1 script, 11 calls: 2 get, 2 pexpire, 3 pttl, 1 set, 1 time, 2 zadd",
      "release and the waiter's grant":
        "2 scripts, 13 calls: 1 del, 2 exists, 2 get, 1 publish, 2 set, 2 time, 1 zrange, 2 zrem",
      "last release": "1 script, 3 calls: 1 del, 1 exists, 1 get",
    },
    fair: {
      "the waiter's attempt":
        "1 script, 21 calls: 2 get, 4 pexpire, 6 pttl, 1 time, 4 zadd, 2 zrange, 1 zrangebyscore, 1 zscore",
      "release and the waiter's grant":
        "2 scripts, 18 calls: 2 del, 3 get, 1 publish, 2 set, 2 time, 2 zcard, 2 zrange, 1 zrem, 3 zscore",
      "last release": "1 script, 5 calls: 1 del, 1 get, 1 time, 1 zcard, 1 zrange",
    },
  });
});
