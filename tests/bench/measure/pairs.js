// Acquire+release pairs on a number of servers, with a number of pairs in flight: samples of all contestants, and their table.
import { resultOf, start } from "./sample.js";
import { makeTable, medianColumn, rangeColumn, ratioColumn } from "./table.js";

export const FIGURES = {
  perSecond: { of: ({ perSecond }) => perSecond, unit: "1/s", better: "more" },
  cpuPerPair: { of: ({ cpuPerPair }) => cpuPerPair, unit: "us", better: "less" },
  serverPerPair: { of: ({ serverPerPair }) => serverPerPair, unit: "us", better: "less" },
  commandsPerPair: { of: ({ commandsPerPair }) => commandsPerPair, unit: "1" },
  failures: { of: ({ failures }) => failures, unit: "1" },
  warmUp: { of: ({ warmUp }) => warmUp.ms, unit: "ms" },
};

/** The columns are read by other programs: they stay as they are. */
const COLUMNS = [
  medianColumn("pairs/s", "perSecond", 0),
  ratioColumn("ratio", "perSecond"),
  medianColumn("CPU us/pair", "cpuPerPair", 1),
  rangeColumn("perSecond"),
];

/**
 * `contest`: { id, where, lanes, keys, turns, silent }. `where` begins the title. `turns`: for how many turns of the event loop
 * at most each lane holds its lock. `silent`: the last server hangs from that many ms before the measurement on.
 */
export async function comparePairs(bench, contestants, servers, { id, where, ...contest }, sizes) {
  const names = contestants.map(({ name }) => name);
  const results = await bench.interleave(names, (name) => samplePairs(bench, servers, name, contest, sizes));
  const title = `${where}, ${contest.lanes} in flight: acquire+release pairs, median of ${bench.rounds}, ratio to the best peer`;
  return makeTable({ id, title, contestants, results, figures: FIGURES, columns: COLUMNS });
}

export async function samplePairs(bench, servers, name, contest, { ms, warm }) {
  for (const server of servers) await server.send("FLUSHALL");
  const ports = servers.map(({ port }) => port);
  const worker = start(bench.scope, "pairs", { name, ports, ms, warm, ...contest });
  if (contest.silent === undefined) return bench.warmed(name, await resultOf(worker));

  const last = servers.at(-1);
  try {
    await worker.said((message) => message.warm, 60_000);
    last.pause();
    await servers[0].send("RPUSH", "bench:silent", "now");
    return bench.warmed(name, await resultOf(worker));
  } finally {
    last.resume();
  }
}
