// One lock and many waiters: how soon it is handed on, in what order, and what that costs the server.
//
// A contest is a series of heats in the same processes. In each, one process holds the lock, the waiters arrive one after the
// other, so that the order of their arrival is known, and then the holder releases. The first heats do not count: gaps of cold code are
// several times as long.
import { setTimeout as pause } from "node:timers/promises";
import { adminClient } from "../../js/support/raw-client.js";
import { callsOf } from "../../js/support/server-state.js";
import { commandsOf } from "../contenders/index.js";
import { start } from "./sample.js";
import { median } from "./statistics.js";
import { warmUp } from "./steady.js";

const PROCESSES = 4;
const KEY = "bench:contended";
const LISTS = Array.from({ length: PROCESSES }, (_, at) => `orders:${at}`);
/** The holder's acquire and release in each heat, which are not contended. */
const HOLDERS_COMMANDS = 2;

/**
 * For each number in `crowds`, a contest among this many waiters, all in the same processes: { gaps (ms), perAcquire (commands),
 * overtakings (of all heats), exclusive, warmUp }. `sizes`: how many `gaps` at least; after how many `seconds` no further heat begins;
 * `warm`, the rule for the warm-up, of the median gap of each heat.
 */
export async function contest(scope, redis, name, crowds, sizes) {
  await redis.send("FLUSHALL");
  const workers = ["orders:holder", ...LISTS].map((orders) =>
    start(scope, "waiters", { name, port: redis.port, key: KEY, orders }),
  );
  const boss = await adminClient({ host: "127.0.0.1", port: redis.port });
  try {
    await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 20_000)));
    const results = [];
    for (const waiters of crowds) results.push(await runHeats(redis, boss, name, waiters, sizes));
    return results;
  } finally {
    for (const worker of workers) worker.signal("SIGKILL");
    await Promise.all(workers.map((worker) => worker.exit));
    boss.close();
  }
}

async function runHeats(redis, boss, name, waiters, { gaps, seconds, warm }) {
  const warmth = await warmUp(async () => median(gapsOf(await heat(boss, waiters))), warm);
  await redis.send("CONFIG", "RESETSTAT");
  const end = performance.now() + 1_000 * seconds;
  const heats = [];
  do heats.push(await heat(boss, waiters));
  while (heats.length * (waiters - 1) < gaps && performance.now() < end);
  const commands = (await callsOf(redis, ...commandsOf(name))) - HOLDERS_COMMANDS * heats.length;
  return {
    gaps: heats.flatMap(gapsOf),
    perAcquire: commands / (heats.length * waiters),
    overtakings: heats.map(overtakings).reduce((sum, count) => sum + count, 0),
    exclusive: heats.flatMap(gapsOf).every((gap) => gap >= 0),
    warmUp: warmth,
  };
}

/** The turns of one heat, in the order of the grants. */
async function heat(boss, waiters) {
  await boss.send("RPUSH", "orders:holder", "hold");
  await boss.send("BLPOP", "reports", 60);
  for (let place = 0; place < waiters; place += 1) {
    await boss.send("RPUSH", LISTS[place % PROCESSES], place);
    await boss.send("BLPOP", "arrived", 10);
  }
  await pause(50);
  await boss.send("RPUSH", "orders:holder", "let go");
  for (const list of LISTS) await boss.send("RPUSH", list, "report");
  const turns = [];
  for (const _ of LISTS) {
    const report = await boss.send("BLPOP", "reports", 120);
    if (report === null) throw new Error("the waiters did not all get their turn in two minutes");
    turns.push(...JSON.parse(report[1]));
  }
  return turns.sort((a, b) => a.taken - b.taken);
}

/** From one holder's release to the next one's grant, in ms. */
export const gapsOf = (turns) => turns.slice(1).map(({ taken }, at) => taken - turns[at].left);

/** How many waiters were granted the lock right after a waiter that had arrived later. */
export const overtakings = (turns) =>
  turns.slice(1).filter(({ place }, at) => place < turns[at].place).length;
