// A slot on its way to another node of a cluster: a key that a script has just emptied is gone from this node, and every
// further command on it fails there. So a script reads first, and nothing fails after its first write.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { sourceOf } from "../support/server-state.js";

/** All keys have this hash tag, so they are in one slot. */
const TAG = "{moving}";

const cluster = await startCluster({ after }, { nodes: 2 });
const source = await cluster.ownerOf(TAG);
const target = cluster.nodes.find((node) => node !== source);
const slot = await cluster.slotOf(TAG);
const migrate = () => source.send("CLUSTER", "SETSLOT", slot, "MIGRATING", target.id);
const stay = () => source.send("CLUSTER", "SETSLOT", slot, "STABLE");

/** The sets of each lock key in KEYS, and whether the fence counter follows. */
const LAYOUT = {
  exclusive_acquire: [["waiters"], true],
  multi_acquire: [["waiters"], true],
  exclusive_release: [["waiters"], false],
  fair_acquire: [["queue", "places"], true],
  fair_release: [["queue", "places"], false],
  raise_fence: [[], true],
  extend: [[], false],
  adopt: [[], false],
};
const COUNTER = `redlatch:fence:${TAG}`;
const keysOf = (script, keys) => {
  const [roles, isFenced] = LAYOUT[script];
  const names = keys.flatMap((key) => [key, ...roles.map((role) => `redlatch:${role}:${TAG}:${key}`)]);
  return isFenced ? [...names, COUNTER] : names;
};

/** What the node has of these keys. */
async function contents(keys) {
  await stay();
  return Promise.all(keys.map((key) => source.send("DUMP", key)));
}

/** Sets of waiters by name: [score, member] pairs. Scores below the present time are of dead ones. */
const LATER = 9_000_000_000_000;
const [MINE, THEIRS] = ["mine c:1", "other"];
const acquires = (count) => [10_000, 1_000, ...Array(count).fill([MINE, "c:1"]).flat()];
const multi = (count) => [count, 10_000, 1_000, MINE, "c:1"];
const fair = (join) => () => [10_000, MINE, "c:1", 1_000, join];
const releases = (waiter) => (count) => [waiter, ...Array(count).fill(MINE)];
const DEAD = [[[1, "d:1"]], [[1, "d"]]];
/** By what it is: the script, what the lock keys hold, the sets of each, ARGV for that many keys, and the result's sign. */
const cases = {
  "a release by the only registered waiter": [
    "exclusive_release",
    MINE,
    [[[LATER, "c:1"]]],
    releases("c:1"),
    1,
  ],
  "a release behind a registration that has expired": [
    "exclusive_release",
    MINE,
    [[[1, "d:1"]]],
    releases(""),
    1,
  ],
  "a release that wakes the only waiter": ["exclusive_release", MINE, [[[LATER, "d:1"]]], releases(""), 1],
  "a release by a waiter that wakes the only other": [
    "exclusive_release",
    MINE,
    [
      [
        [1, "c:1"],
        [LATER, "d:1"],
      ],
    ],
    releases("c:1"),
    1,
  ],
  "the clean-up of a waiter": ["exclusive_release", THEIRS, [[[LATER, "c:1"]]], releases("c:1"), 0],
  "an acquire that is repeated": ["exclusive_acquire", MINE, [[[LATER, "c:1"]]], acquires, 1],
  "an acquire that takes its token over": ["exclusive_acquire", "mine", [[[LATER, "c:1"]]], acquires, 1],
  "an acquire that registers": ["exclusive_acquire", THEIRS, [[[1, "d:9"]]], acquires, -1],
  "an acquire of all keys that is repeated": ["multi_acquire", MINE, [[[LATER, "c:1"]]], multi, 1],
  "an acquire of all keys that registers": ["multi_acquire", THEIRS, [[[1, "d:9"]]], multi, -1],
  "a fair release by the only waiter": [
    "fair_release",
    MINE,
    [[[1, "c:1"]], [[LATER, "c"]]],
    releases("c:1"),
    1,
  ],
  "a fair release that wakes the only waiter": [
    "fair_release",
    MINE,
    [[[1, "d:1"]], [[LATER, "d"]]],
    releases(""),
    1,
  ],
  "a fair release behind dead waiters": [
    "fair_release",
    MINE,
    [
      [
        [1, "d:1"],
        [2, "e:1"],
      ],
      [[1, "d"]],
    ],
    releases(""),
    1,
  ],
  "a fair acquire that is repeated": ["fair_acquire", MINE, [[[1, "c:1"]], [[LATER, "c"]]], fair(1), 1],
  "a fair try behind dead waiters": ["fair_acquire", THEIRS, DEAD, fair(0), -1],
  "a fair acquire that joins behind dead waiters": ["fair_acquire", THEIRS, DEAD, fair(1), -1],
  "a fair acquire that is repeated, behind dead waiters": ["fair_acquire", MINE, DEAD, fair(1), 1],
  "a fence that is raised": ["raise_fence", MINE, [], () => [MINE, 1_900_000_000_000_000], 1],
  "an extension": ["extend", MINE, [], () => [10_000, MINE], 1],
  "a verification": ["extend", MINE, [], () => [0, MINE], 1],
  "an adoption": ["adopt", "mine", [], () => [10_000, "mine", "e:5"], 1],
};

async function prepare(script, keys, owner, sets) {
  await stay();
  const names = keysOf(script, keys);
  await source.send("DEL", ...names);
  await source.send("SET", COUNTER, 1_800_000_000_000_000, "PX", 5_000_000);
  for (const [at, key] of keys.entries()) {
    await source.send("SET", key, owner, "PX", 5_000_000);
    for (const [role, entries] of sets.entries()) {
      const set = names[at * (sets.length + 1) + 1 + role];
      await source.send("ZADD", set, ...entries.flat());
      await source.send("PEXPIRE", set, 5_000_000);
    }
  }
  return names;
}

/** Runs the script with these keys, of `count` locks. */
const run = (script, names, args, count) =>
  source.send("EVAL", sourceOf(script), names.length, ...names, "nonce", ...args(count));

for (const [what, [script, owner, sets, args, answer]] of Object.entries(cases)) {
  test(`rule 13: ${what}, while the slot moves`, async () => {
    for (const count of [1, 3]) {
      const keys = Array.from({ length: count }, () => `${TAG}${freshKey()}`);
      const names = await prepare(script, keys, owner, sets);
      await migrate();
      const [nonce, ...results] = await run(script, names, args, count);
      assert.equal(nonce, "nonce");
      const all = script === "exclusive_acquire" || script.endsWith("_release");
      assert.deepEqual(
        (all ? results : results.slice(0, 1)).map(Math.sign),
        Array(all ? count : 1).fill(answer),
      );
      await stay();
      const isFreed = script.endsWith("_release") && answer === 1;
      assert.equal(await source.send("EXISTS", ...keys), isFreed ? 0 : count);
    }
  });

  test(`rule 13: ${what}, with a key that has moved, changes nothing`, async () => {
    const keys = [`${TAG}${freshKey()}`, `${TAG}${freshKey()}`];
    for (const [at, gone] of keysOf(script, keys).entries()) {
      const names = await prepare(script, keys, owner, sets);
      await source.send("DEL", gone);
      const seen = await contents(names);
      await migrate();
      await assert.rejects(run(script, names, args, keys.length), /TRYAGAIN|ASK/, `key ${at}`);
      assert.deepEqual(await contents(names), seen);
    }
  });
}

test("rule 13: a set of another type, wherever it is, is found before anything is written", async () => {
  for (const [what, [script, owner, sets, args]] of Object.entries(cases)) {
    for (let role = 0; role < sets.length; role += 1) {
      const keys = [`${TAG}${freshKey()}`, `${TAG}${freshKey()}`];
      const names = await prepare(script, keys, owner, sets);
      const wrong = names[2 * (sets.length + 1) - sets.length + role];
      await source.send("SET", wrong, "text", "PX", 5_000_000);
      const seen = await contents(names);
      const outcome = await run(script, names, args, keys.length).then(String, String);
      if (!/nonce/.test(outcome)) assert.deepEqual(await contents(names), seen, `${what}: ${outcome}`);
    }
  }
});

test("rule 13: a counter of another type: an error, nothing is granted, and the counter is left as it is", async () => {
  for (const [what, [script, owner, sets, args, answer]] of Object.entries(cases)) {
    if (!script.endsWith("_acquire") || answer < 0) continue;
    for (const isFree of [false, true]) {
      const keys = [`${TAG}${freshKey()}`, `${TAG}${freshKey()}`];
      const names = await prepare(script, keys, owner, sets);
      if (isFree) await source.send("DEL", ...keys);
      await source.send("DEL", COUNTER);
      await source.send("RPUSH", COUNTER, "a list");
      const before = await contents(names);
      await assert.rejects(run(script, names, args, keys.length), /WRONGTYPE/, what);
      assert.deepEqual(await contents(names), before, what);
      await source.send("DEL", COUNTER);
    }
  }
});
