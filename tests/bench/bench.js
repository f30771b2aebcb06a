// Compares redlatch with other lock libraries in one run: acquire+release pairs per second, Redlock, one contended lock, and
// cold starts. --quick makes it short.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";
import { startWorker } from "../js/support/processes.js";
import { startRedis } from "../js/support/redis.js";
import { ALL } from "../js/support/rights.js";
import { coldStarts } from "./cold-starts.js";
import { contenders, LIMIT, OURS, PEERS } from "./contenders.js";
import { contest } from "./contention.js";
import { median, printTable, quantile } from "./table.js";

const {
  values: { quick },
} = parseArgs({ options: { quick: { type: "boolean", default: false } } });
const { rounds, ms, warmUp, starts } = quick
  ? { rounds: 1, ms: 400, warmUp: 250, starts: 1 }
  : { rounds: 3, ms: 1_200, warmUp: 600, starts: 9 };
const script = new URL("pairs.js", import.meta.url);

const cleanUps = [];
const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };

/** The results of `measure(name)` for each name, `rounds` times. The order rotates with each round: none is always first. */
async function alternate(names, measure) {
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length];
      results[name].push(await measure(name));
      process.stderr.write(".");
    }
  }
  process.stderr.write("\n");
  return results;
}

/** The median of each name's figures, and the best of the peers. */
function medians(results, figure) {
  const by = (name) => median(results[name].map(figure));
  return { by, best: (choose) => choose(...PEERS.filter((name) => results[name]).map(by)) };
}

async function pairs(servers, lanes, names) {
  const ports = servers.map(({ port }) => port);
  const results = await alternate(names, async (name) => {
    for (const server of servers) await server.send("FLUSHALL");
    const worker = startWorker(scope, script, { name, ports, lanes, ms, warmUp });
    const result = await worker.said((message) => message.perSecond, 30_000);
    await worker.exit;
    return result;
  });
  const perSecond = medians(results, (result) => result.perSecond);
  const cpu = medians(results, (result) => result.cpuPerPair);
  const best = perSecond.best(Math.max);
  const rows = names.map((name) => {
    const seen = results[name].map((result) => Math.round(result.perSecond));
    return [
      name === LIMIT ? `(${name})` : name,
      perSecond.by(name).toFixed(0),
      (perSecond.by(name) / best).toFixed(2),
      cpu.by(name).toFixed(1),
      `${Math.min(...seen)} to ${Math.max(...seen)}`,
    ];
  });
  printTable(
    `${servers.length} server(s), ${lanes} in flight: acquire+release pairs, median of ${rounds}, ratio to the best peer`,
    ["", "pairs/s", "ratio", "CPU us/pair", "range"],
    rows,
  );
}

async function contention(redis, waiters, names) {
  const results = await alternate(names, (name) => contest(scope, redis, name, waiters));
  const gaps = (name) => results[name].flatMap((result) => result.gaps);
  const perAcquire = medians(results, (result) => result.perAcquire);
  const overtakings = medians(results, (result) => result.overtakings);
  const rows = names.map((name) => [
    name,
    quantile(gaps(name), 0.5).toFixed(2),
    quantile(gaps(name), 0.99).toFixed(2),
    perAcquire.by(name).toFixed(1),
    overtakings.by(name).toFixed(0),
    results[name].every((result) => result.exclusive) ? "yes" : "NO",
  ]);
  printTable(
    `${waiters} waiters of 4 processes on one lock, ${rounds} time(s): from one's release to the next one's grant`,
    ["", "gap p50 ms", "p99 ms", "commands/acquire", "overtakings", "exclusive"],
    rows,
  );
}

async function run() {
  if (!existsSync(new URL("node_modules", import.meta.url))) {
    throw new Error("the peers are not installed: npm ci --prefix tests/bench");
  }
  const servers = await Promise.all(Array.from({ length: 5 }, () => startRedis(scope, { rights: ALL })));
  const [redis] = servers;
  const version = (await redis.send("INFO", "server")).match(/redis_version:(\S+)/)?.[1];
  console.log(`Node ${process.version}, redis-server ${version}, ${rounds} round(s) of ${ms} ms`);
  const all = Object.keys(contenders);
  for (const lanes of [1, 512]) await pairs([redis], lanes, all);
  await pairs(servers, 64, ["redlatch", ...PEERS]);
  for (const waiters of [20, 200]) await contention(redis, waiters, [...OURS, ...PEERS]);
  await coldStarts(scope, redis, starts);
}

try {
  await run();
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}
