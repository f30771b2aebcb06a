// One run: faults for some time, then a quiet end in which everything has to settle.
import { appendFileSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { guard } from "../js/support/children.js";
import { settles, until } from "../js/support/conditions.js";
import { Breaker } from "./breaker.js";
import { Checker } from "./checker.js";
import { now } from "./host-time.js";
import { planFaults } from "./plan.js";
import { setStage } from "./stage.js";
import { described } from "./summary.js";
import { topologyOf } from "./topologies.js";
import { Wire } from "./wire.js";

const FAULTS_PER_SECOND = 14;
/** How often the traffic on all connections is kept because of a violation: some 20 MB each. */
const WIRES = 8;
/** Violations that follow each other within this time have one cause, and the same traffic, ms. */
const SAME_CAUSE = 10_000;
/** How long all clients may take to come to an end without faults, ms. */
const ENDING = 40_000;

/**
 * Runs, and ends with `scope`. Returns { violations, counts, faults, happened, byRuntime, byLane, seconds, seed, folder }; the logs
 * stay in `folder` if a rule was broken. `topology`: the name of one; `credulous`: clients that believe what they should not, as a control;
 * `say(line)` hears of progress every 10 s.
 */
export async function runSoak(
  scope,
  { topology: name = "single", seconds, seed, clients, credulous = false, say = () => {} },
) {
  const topology = topologyOf(name);
  // What is stopped when this process is killed would stay so.
  guard();
  const folder = fileURLToPath(new URL(`../../target/soak/${seed}-${process.pid}`, import.meta.url));
  mkdirSync(folder, { recursive: true });
  say(`${name}, seed ${seed}: ${clients} clients, ${seconds} s of faults; logs in ${folder}`);
  const faults = planFaults(seed, { ms: seconds * 1_000, perSecond: FAULTS_PER_SECOND, clients, topology });
  const note = (line) =>
    appendFileSync(join(folder, "breaker.jsonl"), `${JSON.stringify({ ...line, at: now() })}\n`);
  const wire = new Wire();
  let wires = 0;
  let last = Number.NEGATIVE_INFINITY;
  const checker = new Checker((violation) => {
    note({ violation });
    if (wires < WIRES && now() > last + SAME_CAUSE) {
      wires += 1;
      last = now();
      wire.writeTo(join(folder, `wire-${wires}.jsonl`));
    }
    say(described(violation));
  });
  const stage = await setStage(scope, { topology, clients, seed, folder, credulous, checker, note, wire });
  const { inspector, excuse, report } = stage.topology;
  checker.excuse = excuse;
  const byRuntime = {};
  const byLane = {};
  const read = (client) => {
    const { name } = client.runtime;
    for (const event of client.news()) {
      countIn(byRuntime, name, event);
      if (event.lane !== undefined) countIn(byLane, event.lane, event);
      checker.hear(client.name, event);
    }
  };
  const breaker = new Breaker(stage, {
    onDeath(client) {
      read(client);
      checker.ended(client.name);
    },
    note,
  });
  const started = now();
  const look = () => {
    for (const client of stage.clients) {
      read(client);
      if (client.ended) endedEarly(client, checker);
    }
    checker.forget(now());
  };
  const failed = (error) => checker.violated("looking at servers", String(error));
  const timers = [
    setInterval(look, 500),
    setInterval(() => inspector.look().catch(failed), 1_000),
    setInterval(() => say(progress(now() - started, checker, breaker)), 10_000),
  ];
  try {
    await breaker.carryOut(faults).catch((error) => checker.violated("breaking", error.stack));
    for (const client of stage.clients) client.tell("finish");
    const ends = Promise.all(stage.clients.map((client) => client.worker.exit));
    await settles(ends, ENDING, "the clients' end").catch((error) =>
      checker.violated("settles", error.message),
    );
  } finally {
    for (const timer of timers) clearInterval(timer);
  }
  look();
  for (const client of stage.clients) checker.ended(client.name);
  await until(async () => (await inspector.left()).length === 0, {
    within: topology.longestLease + 1_500,
    every: 50,
    what: "the end of all leases",
  }).catch(async () => checker.violated("orphan", `left on servers: ${(await inspector.left()).join(", ")}`));
  await inspector.look();
  const { violations, counts } = checker;
  if (violations.length === 0) rmSync(folder, { recursive: true });
  return {
    violations,
    counts,
    faults: breaker.counts,
    happened: report(),
    byRuntime,
    byLane,
    seconds,
    seed,
    folder,
  };
}

function countIn(table, name, { what }) {
  table[name] ??= { granted: 0, lost: 0, refused: 0 };
  if (what in table[name]) table[name][what] += 1;
}

/** A client that is told to end exits with code 0; no other client ends unless it is killed. */
export function endedEarly(client, checker) {
  const { code, signal, output } = client.ended;
  client.ended = undefined;
  if (code === 0) return;
  checker.violated("client ended", `${client.name} ended by itself with ${code ?? signal}: ${output}`);
}

function progress(ms, checker, breaker) {
  const { granted = 0, lost = 0 } = checker.counts;
  const numbers = `${granted} locks, ${lost} lost, ${breaker.total} faults, ${checker.violations.length} violations`;
  return `${String(Math.round(ms / 1_000)).padStart(5)} s: ${numbers}`;
}
