// Uncontended locks on one server, by the number of pairs in flight.
import { contestants } from "../contenders/index.js";
import { comparePairs } from "../measure/pairs.js";
import { makeTable, medianColumn, ratioColumn } from "../measure/table.js";

const LANES = [1, 8, 64, 512];

export const pairs = {
  name: "pairs",
  about: "acquire and release on one server, with 1, 8, 64 and 512 in flight",
  contestants: contestants(({ name }) => name !== "bare socket EVALSHA"),
  sizes: {
    full: { ms: 2_000, warm: { slice: 250, span: 4, change: 0.03, atMost: 10_000 } },
    quick: { ms: 200, warm: { slice: 50, span: 3, change: 0.1, atMost: 300 } },
  },
  samples: (rounds) => LANES.length * pairs.contestants.length * rounds,
  secondsEach: { full: 8, quick: 0.9 },
  async run(bench, sizes) {
    const servers = await bench.servers(1);
    const tables = [];
    for (const lanes of LANES) {
      const contest = { id: `pairs/${lanes}`, where: "1 server(s)", lanes };
      tables.push(bench.print(await comparePairs(bench, pairs.contestants, servers, contest, sizes)));
    }
    bench.print(serverTable(tables));
    return tables;
  },
};

/** The server's CPU time per pair, which the tables of pairs have no column for. */
function serverTable(tables) {
  const title = `CPU of the server per pair (INFO cpu), 1 server, ${LANES.join(", ")} in flight: us, and ratio to the best peer`;
  const of = (lanes) => tables[LANES.indexOf(lanes)].rows;
  const results = Object.fromEntries(
    pairs.contestants.map(({ name }, at) => {
      const rounds = of(LANES[0])[at].figures.serverPerPair?.values.length ?? 0;
      const sampleOf = (round) =>
        Object.fromEntries(
          LANES.map((lanes) => [`us${lanes}`, of(lanes)[at].figures.serverPerPair?.values[round]]),
        );
      return [name, Array.from({ length: rounds }, (_, round) => sampleOf(round))];
    }),
  );
  const keys = LANES.map((lanes) => [lanes, `us${lanes}`]);
  return makeTable({
    id: "pairs/server-cpu",
    title,
    contestants: pairs.contestants,
    results,
    figures: Object.fromEntries(
      keys.map(([, key]) => [key, { of: (sample) => sample[key], unit: "us", better: "less" }]),
    ),
    columns: keys.flatMap(([lanes, key]) => [medianColumn(`at ${lanes}`, key, 1), ratioColumn("ratio", key)]),
  });
}
