// Many waiters of one client for one lock: what they cost while nothing happens, and how fast the lock goes through all of them.
import { contestants, isLibrary } from "../contenders/index.js";
import { sample } from "../measure/sample.js";
import { makeTable, medianColumn, ratioColumn } from "../measure/table.js";

const FIGURES = {
  clientShare: { of: ({ clientShare }) => clientShare, unit: "% of a core", better: "less" },
  serverShare: { of: ({ serverShare }) => serverShare, unit: "% of a core", better: "less" },
  commandsPerSecond: { of: ({ commandsPerSecond }) => commandsPerSecond, unit: "1/s" },
  usPerServed: { of: ({ usPerServed }) => usPerServed, unit: "us", better: "less" },
  clientUsPerServed: { of: ({ clientUsPerServed }) => clientUsPerServed, unit: "us" },
  serverUsPerServed: { of: ({ serverUsPerServed }) => serverUsPerServed, unit: "us" },
  commandsPerServed: { of: ({ commandsPerServed }) => commandsPerServed, unit: "1" },
  served: { of: ({ served }) => served, unit: "1" },
  warmUp: { of: ({ warmUp }) => warmUp.ms, unit: "ms" },
};

const COLUMNS = [
  medianColumn("client % of a core", "clientShare", 1),
  medianColumn("server %", "serverShare", 1),
  medianColumn("commands/s", "commandsPerSecond", 0),
  medianColumn("us/served", "usPerServed", 0),
  ratioColumn("ratio", "usPerServed"),
  medianColumn("commands/served", "commandsPerServed", 1),
  medianColumn("served", "served", 0),
];

const everybody = contestants(isLibrary);
/** Of the peers, the one that serves them fastest. */
const few = contestants(({ name, role }) => role === "ours" || name === "redis-semaphore");
const ours = contestants(({ role }) => role === "ours");

export const waiting = {
  name: "waiting",
  about:
    "10^3 and 10^4 waiters of one client for one lock: CPU while they wait, and time until all are served",
  sizes: {
    full: {
      contests: [
        { count: 1_000, contestants: everybody },
        { count: 10_000, contestants: few },
      ],
      ms: 5_000,
      seconds: 10,
      warm: { slice: 500, span: 2, change: 0.1, atMost: 5_000 },
    },
    quick: {
      contests: [
        { count: 1_000, contestants: few },
        { count: 10_000, contestants: ours },
      ],
      ms: 500,
      seconds: 2,
      warm: { slice: 100, span: 2, change: 0.2, atMost: 2_000 },
    },
  },
  samples: (rounds, size) =>
    waiting.sizes[size].contests.reduce((sum, { contestants }) => sum + contestants.length, 0) * rounds,
  secondsEach: { full: 13, quick: 3 },
  async run(bench, { contests, ...sizes }) {
    const [redis] = await bench.servers(1);
    const tables = [];
    for (const { count, contestants } of contests) {
      const results = await bench.interleave(
        contestants.map(({ name }) => name),
        async (name) => {
          await redis.send("FLUSHALL");
          const task = { name, port: redis.port, count, ...sizes };
          return bench.warmed(name, await sample(bench.scope, "waiting", task));
        },
      );
      const title = `${count} waiters of one client on one lock, median of ${bench.rounds}: while they wait, and until all are served, for ${sizes.seconds} s at most`;
      const all = { contestants, results, figures: FIGURES, columns: COLUMNS };
      tables.push(bench.print(makeTable({ id: `waiting/${count}`, title, ...all })));
    }
    return tables;
  },
};
