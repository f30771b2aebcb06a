// Many held locks that are renewed: CPU time of client and server.
import { contestants } from "../contenders/index.js";
import { sample } from "../measure/sample.js";
import { makeTable, medianColumn, ratioColumn } from "../measure/table.js";

const FIGURES = {
  clientShare: { of: ({ clientShare }) => clientShare, unit: "% of a core", better: "less" },
  serverShare: { of: ({ serverShare }) => serverShare, unit: "% of a core", better: "less" },
  clientUs: { of: ({ clientUs }) => clientUs, unit: "us" },
  serverUs: { of: ({ serverUs }) => serverUs, unit: "us" },
  commandsPerSecond: { of: ({ commandsPerSecond }) => commandsPerSecond, unit: "1/s" },
  lost: { of: ({ lost }) => lost, unit: "1" },
  warmUp: { of: ({ warmUp }) => warmUp.ms, unit: "ms" },
};

const COLUMNS = [
  medianColumn("client % of a core", "clientShare", 1),
  ratioColumn("ratio", "clientShare"),
  medianColumn("server %", "serverShare", 1),
  ratioColumn("ratio", "serverShare"),
  medianColumn("client us/renewal", "clientUs", 1),
  medianColumn("server us", "serverUs", 1),
  medianColumn("commands/s", "commandsPerSecond", 0),
  medianColumn("lost", "lost", 0),
];

export const renewals = {
  name: "renewals",
  about: "10^4 and 10^5 held locks that are renewed; redis-semaphore beside us, at our intervals",
  contestants: contestants(({ renews }) => renews),
  sizes: {
    full: {
      counts: [10_000, 100_000],
      lease: 30_000,
      periods: 2,
      warm: { span: 1, change: 0.1, atMost: 40_000 },
    },
    // One period to warm up, and one that counts: there is no time for more.
    quick: { counts: [10_000], lease: 6_000, periods: 1, warm: { span: 1, change: 1, atMost: 0 } },
  },
  samples: (rounds, size) => renewals.sizes[size].counts.length * renewals.contestants.length * rounds,
  secondsEach: { full: 55, quick: 5.5 },
  async run(bench, { counts, lease, ...sizes }) {
    const [redis] = await bench.servers(1);
    const tables = [];
    for (const count of counts) {
      const results = await bench.interleave(
        renewals.contestants.map(({ name }) => name),
        async (name) => {
          await redis.send("FLUSHALL");
          const task = { name, port: redis.port, count, lease, ...sizes };
          return bench.warmed(name, await sample(bench.scope, "renewals", task));
        },
      );
      const title = `${count} locks of one client, held for a lease of ${lease / 1_000} s and renewed every ${lease / 3_000} s, median of ${bench.rounds}, ratio to the best peer`;
      const all = { contestants: renewals.contestants, results, figures: FIGURES, columns: COLUMNS };
      tables.push(bench.print(makeTable({ id: `renewals/${count}`, title, ...all })));
    }
    return tables;
  },
};
