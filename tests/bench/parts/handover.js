// One contended lock, handed on from process to process.
import { contestants, isLibrary } from "../contenders/index.js";
import { contest } from "../measure/contest.js";
import { quantile } from "../measure/statistics.js";
import { makeTable, medianColumn } from "../measure/table.js";

const WAITERS = [20, 200];

const FIGURES = {
  p50: { of: ({ gaps }) => quantile(gaps, 0.5), unit: "ms", better: "less" },
  p99: { of: ({ gaps }) => quantile(gaps, 0.99), unit: "ms", better: "less" },
  perAcquire: { of: ({ perAcquire }) => perAcquire, unit: "1" },
  overtakings: { of: ({ overtakings }) => overtakings, unit: "1" },
  exclusive: { of: ({ exclusive }) => Number(exclusive), unit: "1 = yes" },
  gaps: { of: ({ gaps }) => gaps.length, unit: "1" },
  warmUp: { of: ({ warmUp }) => warmUp.ms, unit: "ms" },
};

/** The columns are read by other programs: they stay as they are. */
const COLUMNS = [
  medianColumn("gap p50 ms", "p50", 2),
  medianColumn("p99 ms", "p99", 2),
  medianColumn("commands/acquire", "perAcquire", 1),
  medianColumn("overtakings", "overtakings", 0),
  { head: "exclusive", text: ({ figures }) => ({ 0: "NO", 1: "yes" })[figures.exclusive?.min] ?? "-" },
];

export const handover = {
  name: "handover",
  about: "20 and 200 waiters of 4 processes on one lock: gaps, commands, order",
  contestants: contestants(isLibrary),
  sizes: {
    full: { gaps: 1_000, seconds: 30, warm: { span: 3, change: 0.1, atMost: 6_000 } },
    quick: { gaps: 150, seconds: 0.6, warm: { span: 1, change: 0.2, atMost: 0 } },
  },
  samples: (rounds) => handover.contestants.length * rounds,
  secondsEach: { full: 25, quick: 3.7 },
  async run(bench, sizes) {
    const [redis] = await bench.servers(1);
    const all = await bench.interleave(
      handover.contestants.map(({ name }) => name),
      async (name) => {
        const results = await contest(bench.scope, redis, name, WAITERS, sizes);
        for (const result of results) bench.warmed(name, result);
        return results;
      },
    );
    const tables = [];
    for (const [at, waiters] of WAITERS.entries()) {
      const results = Object.fromEntries(
        Object.entries(all).map(([name, samples]) => [name, samples.map((sample) => sample[at])]),
      );
      const title = `${waiters} waiters of 4 processes on one lock, ${bench.rounds} time(s): from one's release to the next one's grant`;
      tables.push(
        bench.print(
          makeTable({
            id: `handover/${waiters}`,
            title,
            contestants: handover.contestants,
            results,
            figures: FIGURES,
            columns: COLUMNS,
          }),
        ),
      );
    }
    return tables;
  },
};
