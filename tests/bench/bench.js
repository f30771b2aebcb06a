// Acquire+release pairs per second beside other lock libraries, in one run on one redis-server. --quick for a short one.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { startWorker } from "../js/support/processes.js";
import { startRedis } from "../js/support/redis.js";
import { contenders, LIMIT } from "./contenders.js";

const {
  values: { quick },
} = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const { rounds, ms, warmUp } = quick
  ? { rounds: 1, ms: 500, warmUp: 300 }
  : { rounds: 5, ms: 1_500, warmUp: 700 };
const LANES = [1, 512];
const names = Object.keys(contenders);
const script = new URL("run.js", import.meta.url);

const cleanUps = [];
const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };

const median = (values) => {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

/** { name: [{ perSecond, cpuPerPair }] } for so many pairs in flight. The order turns with each round, so that no one is always first. */
async function measure(redis, lanes) {
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length];
      await redis.send("FLUSHALL");
      const worker = startWorker(scope, script, { name, port: redis.port, lanes, ms, warmUp });
      results[name].push(await worker.said((message) => message.perSecond, 30_000));
      await worker.exit;
      process.stderr.write(".");
    }
  }
  process.stderr.write("\n");
  return results;
}

function print(lanes, results) {
  const rows = names.map((name) => ({
    name,
    perSecond: median(results[name].map((result) => result.perSecond)),
    cpuPerPair: median(results[name].map((result) => result.cpuPerPair)),
    spread: results[name].map((result) => result.perSecond),
  }));
  const peers = rows.filter(({ name }) => name !== "redlatch" && name !== LIMIT);
  const best = Math.max(...peers.map((row) => row.perSecond));
  console.log(`\n${lanes} in flight: median of ${rounds} (lowest to highest), ratio to the best peer`);
  console.log(
    `  ${"".padEnd(16)} ${"pairs/s".padStart(9)} ${"ratio".padStart(6)} ${"CPU us/pair".padStart(12)}   range`,
  );
  for (const row of rows) {
    const name = row.name === LIMIT ? `(${row.name})` : row.name;
    const range = `${Math.round(Math.min(...row.spread))} to ${Math.round(Math.max(...row.spread))}`;
    console.log(
      `  ${name.padEnd(17)}${String(Math.round(row.perSecond)).padStart(9)} ${(row.perSecond / best).toFixed(2).padStart(6)} ${row.cpuPerPair.toFixed(1).padStart(12)}   ${range}`,
    );
  }
}

async function run() {
  if (!existsSync(new URL("node_modules", import.meta.url))) {
    throw new Error("the peers are not installed: npm ci --prefix tests/bench");
  }
  const redis = await startRedis(scope);
  console.log(
    `Node ${process.version}, ${(await redis.send("INFO", "server")).match(/redis_version:(\S+)/)?.[1]} redis-server, ${rounds} rounds of ${ms} ms`,
  );
  for (const lanes of LANES) print(lanes, await measure(redis, lanes));
}

try {
  await run();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}
