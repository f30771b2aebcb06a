// Redlock over 1 to 7 servers in every combination of states: the right outcome, within the deadline, and nothing left over.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { freshKey } from "../support/clients.js";
import { measureLateness, settles, until } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { nobody, startRedis } from "../support/redis.js";
import { ConnectionError, createClient, QuorumError, ServerError } from "../support/redlatch.js";
import { assertAllExpire, keysLeft, loadScripts } from "../support/server-state.js";

const MOST = 7;
const NODE_TIMEOUT = 1_500;
const CONNECT_TIMEOUT = 2_000;
/** What a connection that is not made may cost a vote, one answer after it, and what a busy machine adds. */
const DEADLINE = CONNECT_TIMEOUT + NODE_TIMEOUT + 1_500;
/** Where a majority is up, it has to answer in time: few at once, or their own work makes them late. The others only wait. */
const AT_ONCE = { sure: 5, open: 40 };

const scope = { after };
const lateness = measureLateness(scope);
const times = (count, make) => Promise.all(Array.from({ length: count }, (_, at) => make(at)));
const healthy = await times(MOST, () => startRedis(scope));
const hung = await times(MOST, () => startRedis(scope));
for (const server of hung) server.pause();
const guarded = await times(3, () => startRedis(scope, { password: "a secret" }));
const slow = await times(3, async (at) => {
  await loadScripts(healthy[at]);
  const answer = await forwardingTo(healthy[at]);
  return startFakeServer(scope, async (args, connection) => {
    const reply = await answer(args, connection);
    // It carries out the command, and replies later than a server may.
    if (args[0].startsWith("EVAL")) await pause(2 * NODE_TIMEOUT);
    return reply;
  });
});

/** For each state a server's URL by its place. */
const states = {
  up: healthy.map(({ url }) => url),
  down: nobody.map(({ url }) => url),
  hung: hung.map(({ url }) => url),
  slow: slow.map(({ url }) => url),
  refusing: guarded.map(({ port }) => `redis://127.0.0.1:${port}`),
};

/** Every way to give each of `count` servers one of `kinds`. */
function* combinations(count, kinds) {
  if (count === 0) yield [];
  else for (const rest of combinations(count - 1, kinds)) for (const kind of kinds) yield [...rest, kind];
}

const quorumOf = (kinds) => Math.floor(kinds.length / 2) + 1;
const isSure = (kinds) => kinds.filter((kind) => kind === "up").length >= quorumOf(kinds);

/** Tries out one combination, and returns the client, to be closed. */
async function tryOut(kinds) {
  const key = freshKey();
  const urls = kinds.map((kind, at) => states[kind][at]);
  const label = kinds.join(" ");
  const client = createClient({
    nodes: urls,
    ttl: 20_000,
    wait: 0,
    nodeTimeout: NODE_TIMEOUT,
    connectTimeout: CONNECT_TIMEOUT,
  });
  // The making of a hundred instances, milliseconds each in Bun, is not the servers' time.
  client.inspect();
  await new Promise(setImmediate);
  const sure = isSure(kinds);
  // A late grant counts if it comes before the vote is decided by other means.
  const possible = kinds.filter((kind) => kind === "up" || kind === "slow").length >= quorumOf(kinds);
  const started = performance.now();
  const { lock, error } = await settles(
    client.acquire(key).then(
      (lock) => ({ lock }),
      (error) => ({ error }),
    ),
    10_000,
    `acquire with ${label}`,
  );
  const took = performance.now() - started;
  assert.ok(sure ? lock : possible || error, `${label}: ${error?.stack ?? "granted"}`);
  assert.ok(
    took < DEADLINE + lateness(),
    `${label}: ${took} ms, on a machine that was ${lateness()} ms late`,
  );
  if (lock) {
    assert.ok(lock.held && lock.remaining > 15_000, label);
    assert.equal(lock.fence === null, kinds.length > 1, `fence with ${label}`);
    const outcome = await settles(lock.release(), 10_000, `release with ${label}`);
    assert.ok(outcome === "released" || (outcome === "unknown" && !sure), `${label}: ${outcome}`);
  } else if (kinds.length > 1) {
    checkVotes(error, kinds, label);
  } else {
    assert.ok(error instanceof ConnectionError || error instanceof ServerError, `${label}: ${error.stack}`);
  }
  return client;
}

function checkVotes(error, kinds, label) {
  assert.ok(error instanceof QuorumError, `${label}: ${error.stack}`);
  assert.equal(error.votes.length, kinds.length, label);
  kinds.forEach((kind, at) => {
    const { outcome } = error.votes[at];
    // Decided as soon as a majority is out of reach: those that had not answered by then are undecided.
    const own = { up: ["granted"], slow: ["granted", "failed"] }[kind] ?? ["failed"];
    assert.ok([...own, "undecided"].includes(outcome), `${label}: ${outcome} of ${kind}`);
  });
}

async function tryAll(combinations) {
  const list = [...combinations];
  const closed = [];
  const tryThese = async (queue, atOnce) => {
    const work = async () => {
      for (let kinds = queue.pop(); kinds !== undefined; kinds = queue.pop()) {
        const client = await tryOut(kinds);
        closed.push(client.close({ timeout: 1_000 }));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  };
  await tryThese(list.filter(isSure), AT_ONCE.sure);
  await tryThese(
    list.filter((kinds) => !isSure(kinds)),
    AT_ONCE.open,
  );
  await Promise.all(closed);
  for (const server of healthy) {
    await until(async () => (await keysLeft(server)).length === 0, {
      within: 10_000,
      what: "no residue on the healthy servers",
    });
    await assertAllExpire(server);
  }
}

for (const count of [1, 2, 3]) {
  test(
    `rule 2: ${count} server(s), every combination of up, down, hung, slow and refusing`,
    {
      timeout: 120_000,
    },
    () => tryAll(combinations(count, ["up", "down", "hung", "slow", "refusing"])),
  );
}

for (const count of [4, 5]) {
  test(`rule 2: ${count} servers, every combination of up, down and hung`, { timeout: 120_000 }, () =>
    tryAll(combinations(count, ["up", "down", "hung"])),
  );
}

for (const count of [6, 7]) {
  for (const kind of ["down", "hung"]) {
    test(`rule 2: ${count} servers, every subset of them ${kind}`, { timeout: 120_000 }, () =>
      tryAll(combinations(count, ["up", kind])),
    );
  }
}
