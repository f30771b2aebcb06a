// The memory of a held lock, of a waiter and of a client, in the process and on the server.
import { contestants, isLibrary } from "../contenders/index.js";
import { sample } from "../measure/sample.js";
import { makeTable, medianColumn, ratioColumn } from "../measure/table.js";

const FIGURES = {
  heap: { of: ({ heap }) => heap, unit: "B", better: "less" },
  external: { of: ({ external }) => external, unit: "B" },
  rss: { of: ({ rss }) => rss, unit: "B" },
  server: { of: ({ server }) => server, unit: "B", better: "less" },
  serverAfter: { of: ({ serverAfter }) => serverAfter, unit: "B" },
};

const COLUMNS = [
  medianColumn("JS heap B", "heap", 0),
  ratioColumn("ratio", "heap"),
  medianColumn("external B", "external", 0),
  medianColumn("RSS B", "rss", 0),
  medianColumn("server B", "server", 0),
  ratioColumn("ratio", "server"),
  medianColumn("server B afterwards", "serverAfter", 0),
];

const TITLES = {
  locks: (count) => `memory per held lock, of ${count}; afterwards: released`,
  waiters: (count) => `memory per waiter, of ${count} for one lock`,
  clients: (count) => `memory per client, of ${count} that are connected; afterwards: closed`,
};

/** Only waiters differ between plain and fair locks. --quick has time for one peer. */
const contestantsOf = (of, size) =>
  contestants(
    (one) =>
      isLibrary(one) &&
      (of === "waiters" || one.name !== "redlatch, fair") &&
      (size === "full" || one.role === "ours" || one.name === "redis-semaphore"),
  );

export const memory = {
  name: "memory",
  about: "memory per held lock, per waiter and per client",
  sizes: {
    full: { counts: { locks: 50_000, waiters: 10_000, clients: 200 }, settle: 1_000 },
    quick: { counts: { locks: 5_000, waiters: 2_000, clients: 50 }, settle: 300 },
  },
  samples: (rounds, size) =>
    Object.keys(TITLES).reduce((sum, of) => sum + contestantsOf(of, size).length, 0) * rounds,
  secondsEach: { full: 6, quick: 1.4 },
  async run(bench, { counts, settle }) {
    const [redis] = await bench.servers(1);
    const tables = [];
    for (const [of, count] of Object.entries(counts)) {
      const contestants = contestantsOf(of, bench.size);
      const results = await bench.interleave(
        contestants.map(({ name }) => name),
        async (name) => {
          await redis.send("FLUSHALL");
          const task = { name, port: redis.port, of, count, settle };
          return sample(bench.scope, "memory", task, { args: ["--expose-gc"] });
        },
      );
      const title = `${TITLES[of](count)}, median of ${bench.rounds}, ratio to the best peer`;
      const all = { contestants, results, figures: FIGURES, columns: COLUMNS };
      tables.push(bench.print(makeTable({ id: `memory/${of}`, title, ...all })));
    }
    return tables;
  },
};
