// A slot on its way to another node of a cluster: a key that a script has just emptied is gone from this node, and every
// further command on it fails there. So a script reads first, and nothing fails after its first write.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey } from "../support/clients.js";
import { until } from "../support/conditions.js";
import { freePort, startRedis } from "../support/redis.js";
import { sourceOf } from "../support/server-state.js";

/** All keys have this hash tag, so they are in one slot. */
const TAG = "{moving}";

/** Two nodes of one cluster; the first has all slots. */
async function startNode() {
  const bus = await freePort();
  const config = { "cluster-enabled": "yes", "cluster-port": bus, "cluster-require-full-coverage": "no" };
  return { bus, server: await startRedis({ after }, { config }) };
}
const { server: source } = await startNode();
const { server: target, bus } = await startNode();
const id = await target.send("CLUSTER", "MYID");
await source.send("CLUSTER", "ADDSLOTSRANGE", 0, 16383);
await source.send("CLUSTER", "MEET", "127.0.0.1", target.port, bus);
await until(
  async () => {
    const nodes = await source.send("CLUSTER", "NODES");
    const isUp = /cluster_state:ok/.test(await source.send("CLUSTER", "INFO"));
    return isUp && new RegExp(`^${id} .* connected`, "m").test(nodes);
  },
  { within: 30_000, what: "the cluster" },
);
const slot = await source.send("CLUSTER", "KEYSLOT", TAG);
const migrate = () => source.send("CLUSTER", "SETSLOT", slot, "MIGRATING", id);
const stay = () => source.send("CLUSTER", "SETSLOT", slot, "STABLE");

const SETS = {
  exclusive: ["fence", "waiters"],
  fair: ["fence", "queue", "places"],
  extend: ["fence"],
};
const keysOf = (script, keys) => {
  const roles = SETS[script.split("_")[0]];
  return [...keys, ...roles.flatMap((role) => keys.map((key) => `{moving}:redlatch:${role}:${key}`))];
};

/** What the node has of these keys. */
async function contents(keys) {
  await stay();
  return Promise.all(keys.map((key) => source.send("DUMP", key)));
}

/** Sets of waiters by name: [score, member] pairs. Scores below the present time are of dead ones. */
const LATER = 9_000_000_000_000;
const mine = ["lock", "7 c:1"];
const theirs = ["other", "7 d:1"];
const cases = {
  "a release by the only registered waiter": ["exclusive_release", mine, [[[LATER, "c:1"]]], ["c:1", ""], 1],
  "a release behind a registration that has expired": [
    "exclusive_release",
    mine,
    [[[1, "d:1"]]],
    ["", ""],
    1,
  ],
  "a release that wakes the only waiter": ["exclusive_release", mine, [[[LATER, "d:1"]]], ["", ""], 1],
  "the clean-up of a waiter": ["exclusive_release", theirs, [[[LATER, "c:1"]]], ["c:1", ""], 0],
  "an acquire that is repeated": [
    "exclusive_acquire",
    mine,
    [[[LATER, "c:1"]]],
    [10_000, "c:1", 1_000, ""],
    1,
  ],
  "an acquire that registers": ["exclusive_acquire", theirs, [[[1, "d:9"]]], [10_000, "c:1", 1_000, ""], 0],
  "a fair release by the only waiter": ["fair_release", mine, [[[1, "c:1"]], [[LATER, "c"]]], ["c:1", ""], 1],
  "a fair release behind dead waiters": [
    "fair_release",
    mine,
    [
      [
        [1, "d:1"],
        [2, "e:1"],
      ],
      [[1, "d"]],
    ],
    ["", ""],
    1,
  ],
  "a fair acquire that is repeated": [
    "fair_acquire",
    mine,
    [[[1, "c:1"]], [[LATER, "c"]]],
    [10_000, "c:1", 1_000, 1, ""],
    1,
  ],
  "a fair try behind dead waiters": [
    "fair_acquire",
    theirs,
    [[[1, "d:1"]], [[1, "d"]]],
    [10_000, "c:1", 1_000, 0, ""],
    0,
  ],
  "a fair acquire that joins behind dead waiters": [
    "fair_acquire",
    theirs,
    [[[1, "d:1"]], [[1, "d"]]],
    [10_000, "c:1", 1_000, 1, ""],
    0,
  ],
  "an extension": ["extend", mine, [], [10_000, ""], 1],
  "a verification": ["extend", mine, [], [0, ""], 1],
  "an adoption": ["extend", mine, [], [10_000, "e:5"], 1],
};

async function prepare(script, keys, [owner, counter], sets) {
  await stay();
  const names = keysOf(script, keys);
  await source.send("DEL", ...names);
  for (const [at, key] of keys.entries()) {
    await source.send("SET", key, owner, "PX", 5_000_000);
    await source.send("SET", names[keys.length + at], counter, "PX", 5_000_000);
    for (const [role, entries] of sets.entries()) {
      const set = names[(2 + role) * keys.length + at];
      await source.send("ZADD", set, ...entries.flat());
      await source.send("PEXPIRE", set, 5_000_000);
    }
  }
  return names;
}

for (const [what, [script, owner, sets, args, answer]] of Object.entries(cases)) {
  const run = (names) =>
    source.send("EVAL", sourceOf(script), names.length, ...names, "nonce", "lock", ...args);

  test(`rule 13: ${what}, while the slot moves`, async () => {
    for (const count of [1, 3]) {
      const keys = Array.from({ length: count }, () => `${TAG}${freshKey()}`);
      const names = await prepare(script, keys, owner, sets);
      await migrate();
      const reply = await run(names);
      assert.equal(reply[0], "nonce");
      assert.equal(reply[1], answer * (script.endsWith("release") ? count : 1));
    }
  });

  test(`rule 13: ${what}, with a key that has moved, changes nothing`, async () => {
    const keys = [`${TAG}${freshKey()}`, `${TAG}${freshKey()}`];
    for (const [at, gone] of keysOf(script, keys).entries()) {
      const names = await prepare(script, keys, owner, sets);
      await source.send("DEL", gone);
      const seen = await contents(names);
      await migrate();
      await assert.rejects(run(names), /TRYAGAIN|ASK/, `key ${at}`);
      assert.deepEqual(await contents(names), seen);
    }
  });
}

test("rule 13: a set of another type, wherever it is, is found before anything is written", async () => {
  for (const [what, [script, owner, sets, args]] of Object.entries(cases)) {
    for (let role = 0; role < sets.length; role += 1) {
      const keys = [`${TAG}${freshKey()}`, `${TAG}${freshKey()}`];
      const names = await prepare(script, keys, owner, sets);
      const wrong = names[(2 + role) * 2 + 1];
      await source.send("SET", wrong, "text", "PX", 5_000_000);
      const seen = await contents(names);
      const outcome = await source
        .send("EVAL", sourceOf(script), names.length, ...names, "nonce", "lock", ...args)
        .then(String, String);
      if (!/nonce/.test(outcome)) assert.deepEqual(await contents(names), seen, `${what}: ${outcome}`);
    }
  }
});
