// How near redlatch is to what the machine can do: the same locks by hand, on ioredis, on a bare socket, and by redis-benchmark.
import { contestants } from "../contenders/index.js";
import { FIGURES, samplePairs } from "../measure/pairs.js";
import { benchmarkPairs, hasRedisBenchmark } from "../measure/redis-benchmark.js";
import { makeTable, medianColumn, ratioColumn } from "../measure/table.js";

const BENCHMARK = "redis-benchmark";
const BASE = "ioredis EVALSHA";
const inNode = contestants(({ name, role }) => role === "limit" || name === "redlatch");

const COLUMNS = [
  medianColumn("pairs/s", "perSecond", 0),
  ratioColumn("ratio", "perSecond"),
  medianColumn("CPU us/pair", "cpuPerPair", 1),
  medianColumn("server us/pair", "serverPerPair", 1),
];

export const limits = {
  name: "limits",
  about: "redlatch beside raw EVALSHA by ioredis, by a bare socket and by redis-benchmark",
  contestants: [...inNode, { name: BENCHMARK, role: "limit" }],
  sizes: {
    full: {
      lanes: [1, 8, 64, 512],
      draws: 50_000,
      ms: 2_000,
      warm: { slice: 250, span: 4, change: 0.03, atMost: 10_000 },
    },
    quick: {
      lanes: [1],
      draws: 5_000,
      ms: 250,
      warm: { slice: 50, span: 3, change: 0.1, atMost: 350 },
    },
  },
  samples: (rounds, size) => limits.sizes[size].lanes.length * limits.contestants.length * rounds,
  secondsEach: { full: 7, quick: 0.9 },
  async run(bench, { lanes: all, draws, ...sizes }) {
    const servers = await bench.servers(1);
    const contestants = (await hasRedisBenchmark()) ? limits.contestants : inNode;
    const tables = [];
    for (const lanes of all) {
      const results = await bench.interleave(
        contestants.map(({ name }) => name),
        (name) =>
          name === BENCHMARK
            ? benchmarkPairs(servers[0], lanes, draws)
            : samplePairs(bench, servers, name, { lanes }, sizes),
      );
      const title = `limits, 1 server, ${lanes} in flight: acquire+release pairs, median of ${bench.rounds}, ratio to ${BASE}`;
      const table = { id: `limits/${lanes}`, title, contestants, results, columns: COLUMNS };
      tables.push(
        bench.print(makeTable({ ...table, figures: FIGURES_OF_LIMITS, isBase: ({ name }) => name === BASE })),
      );
    }
    return tables;
  },
};

const FIGURES_OF_LIMITS = {
  perSecond: FIGURES.perSecond,
  cpuPerPair: FIGURES.cpuPerPair,
  serverPerPair: FIGURES.serverPerPair,
};
