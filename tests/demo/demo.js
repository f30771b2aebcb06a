// Four processes and one counter, first without the lock, then with it; then a holder dies. Exit code 1 if anything is not as expected.
import { startWorker } from "../js/support/processes.js";
import { startRedis } from "../js/support/redis.js";
import { bold, dim, print, showCountdown, showProgress, showSummary } from "./display.js";

const PROCESSES = 4;
const ROUNDS = 100;
const TOTAL = PROCESSES * ROUNDS;
const LEASE = 3_000;
const script = new URL("worker.js", import.meta.url);

const cleanUps = [];
const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };

/** Starts `count` workers of one role and lets them go at the same moment. */
async function start(redis, role, count, more = {}) {
  const workers = Array.from({ length: count }, () =>
    startWorker(scope, script, { role, port: redis.port, ...more }),
  );
  await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 15_000)));
  await redis.send("RPUSH", `start:${role}`, ...workers.map(() => "go"));
  return workers;
}

async function count(redis, role) {
  await redis.send("SET", `counter:${role}`, 0);
  const began = performance.now();
  const workers = await start(redis, role, PROCESSES, { rounds: ROUNDS });
  const progress = showProgress(() =>
    workers.map(({ child, messages }) => ({
      name: `process ${child.pid}`,
      done: messages.filter((message) => message.round).length,
      total: ROUNDS,
    })),
  );
  try {
    await Promise.all(workers.map((worker) => worker.said((message) => message.done, 40_000)));
  } finally {
    progress.stop();
  }
  const value = Number(await redis.send("GET", `counter:${role}`));
  print(
    `  counter: ${bold(`${value}`)} of ${TOTAL} ${dim(`in ${((performance.now() - began) / 1000).toFixed(1)} s`)}`,
  );
  print();
  return value;
}

async function inherit(redis) {
  const [holder] = await start(redis, "holder", 1, { ttl: LEASE });
  const held = await holder.said((message) => message.holds);
  print(`  process ${holder.child.pid} holds the lock, for ${LEASE / 1000} s, fence ${held.fence}`);
  const [heir] = await start(redis, "heir", 1);
  await heir.said((message) => message.waits);
  holder.child.kill("SIGKILL");
  const { signal } = await holder.exit;
  const left = Number(await redis.send("PTTL", "lock:inheritance"));
  const end = Date.now() + left;
  print(`  killed with ${signal}; its lease has ${left} ms to go, and process ${heir.child.pid} waits`);
  const countdown = showCountdown("the lease ends in", () => end - Date.now());
  let inherited;
  try {
    inherited = await heir.said((message) => message.inherits, LEASE + 10_000);
  } finally {
    countdown.stop();
  }
  const after = inherited.at - held.asked;
  print(`  process ${heir.child.pid} has it ${after} ms after the first one asked, fence ${inherited.fence}`);
  await heir.said((message) => message.done);
  print();
  return { signal, left, after, grown: BigInt(inherited.fence) > BigInt(held.fence) };
}

async function run() {
  const redis = await startRedis(scope);
  print(dim(`a redis-server of the demo's own, on port ${redis.port}`));
  print();
  print(bold(`1. Without the lock: ${PROCESSES} processes, ${ROUNDS} increments each (read, sleep, write)`));
  const without = await count(redis, "without");
  print(bold("2. The same with the lock"));
  const guarded = await count(redis, "with");
  print(bold("3. A holder is killed in the middle of its lease"));
  const { signal, left, after, grown } = await inherit(redis);

  const results = [
    {
      what: "counter without the lock",
      expected: `less than ${TOTAL}`,
      seen: `${without} (${TOTAL - without} lost)`,
      ok: without < TOTAL,
    },
    { what: "counter with the lock", expected: `${TOTAL}`, seen: `${guarded}`, ok: guarded === TOTAL },
    {
      what: "holder killed mid-lease",
      expected: "SIGKILL, lease not over",
      seen: `${signal}, ${left} ms left`,
      ok: signal === "SIGKILL" && left > 0,
    },
    // The wall clocks of two processes are read in whole ms.
    {
      what: "lock passed on",
      expected: `${LEASE} to ${LEASE + 500} ms`,
      seen: `${after} ms`,
      ok: after >= LEASE - 1 && after <= LEASE + 500,
    },
    { what: "fence of the heir", expected: "greater", seen: grown ? "greater" : "not greater", ok: grown },
  ];
  showSummary(results);
  return results.every((result) => result.ok);
}

try {
  process.exitCode = (await run()) ? 0 : 1;
} catch (error) {
  print(`the demo failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}
