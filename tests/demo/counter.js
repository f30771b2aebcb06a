// Scene: four processes and one counter; without a lock, then with a lock of each kind.
import { bold, dim, print, showProgress } from "./display.js";
import { result } from "./stage.js";

const PROCESSES = 4;
const ROUNDS = 100;
const TOTAL = PROCESSES * ROUNDS;

export async function counter(stage, servers) {
  const nodes = servers.map(({ url }) => url);
  const kinds = [
    { kind: "no lock" },
    { kind: "plain", keys: "counter" },
    { kind: "fair", keys: "counter", fair: true },
    { kind: "multi", keys: ["counter", "account"] },
    { kind: "Redlock", keys: "counter", nodes },
  ];
  print(
    bold(`1. ${PROCESSES} processes, ${ROUNDS} increments each (read, sleep, write), with each kind of lock`),
  );
  const results = [];
  for (const { kind, ...how } of kinds) {
    const value = await race(stage, kind, how);
    const lost = TOTAL - value;
    if (kind === "no lock")
      results.push(result("counter without a lock", `< ${TOTAL}`, `${value} (${lost} lost)`, lost > 0));
    else results.push(result(`counter, ${kind} lock`, TOTAL, value, lost === 0));
  }
  print();
  return results;
}

async function race({ redis, start }, kind, how) {
  const name = `counter:${kind}`;
  await redis.send("SET", name, 0);
  const inputs = Array.from({ length: PROCESSES }, () => ({ counter: name, rounds: ROUNDS, ...how }));
  const began = performance.now();
  const workers = await start("count", inputs);
  const progress = showProgress(() =>
    workers.map(({ child, messages }) => ({
      name: `${kind.padEnd(7)} process ${child.pid}`,
      done: messages.filter((message) => message.round).length,
      total: ROUNDS,
    })),
  );
  try {
    await Promise.all(workers.map((worker) => worker.said((message) => message.done, 30_000)));
  } finally {
    progress.stop();
  }
  const value = Number(await redis.send("GET", name));
  const seconds = ((performance.now() - began) / 1_000).toFixed(1);
  print(`  ${kind.padEnd(7)} counter: ${bold(`${value}`)} of ${TOTAL} ${dim(`in ${seconds} s`)}`);
  return value;
}
