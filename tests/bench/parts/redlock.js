// Redlock of several servers, also while one of them hangs: it is connected, but silent.
import { contestants, isLibrary } from "../contenders/index.js";
import { comparePairs } from "../measure/pairs.js";

const CONTESTS = [
  { id: "redlock/3", count: 3, lanes: 64, where: "3 server(s)" },
  { id: "redlock/5", count: 5, lanes: 64, where: "5 server(s)" },
  { id: "redlock/3-hung", count: 3, lanes: 64, where: "3 servers, one of them hung", hung: true },
  { id: "redlock/5-hung", count: 5, lanes: 64, where: "5 servers, one of them hung", hung: true },
];
/** The contests of --quick. */
const QUICK = ["redlock/5", "redlock/5-hung"];

const contestsOf = (size) => CONTESTS.filter(({ id }) => size === "full" || QUICK.includes(id));

export const redlock = {
  name: "redlock",
  about: "acquire and release on 3 and 5 servers, 64 in flight, all well and with one hung",
  contestants: contestants((one) => isLibrary(one) && one.name !== "redlatch, fair"),
  sizes: {
    // Longer with a server that hangs: some peers wait a second for it.
    full: {
      ms: 2_000,
      silent: 1_000,
      silentMs: 5_000,
      warm: { slice: 250, span: 4, change: 0.03, atMost: 8_000 },
    },
    quick: { ms: 200, silent: 300, silentMs: 800, warm: { slice: 50, span: 3, change: 0.1, atMost: 350 } },
  },
  samples: (rounds, size) => contestsOf(size).length * redlock.contestants.length * rounds,
  secondsEach: { full: 9, quick: 1.5 },
  async run(bench, { ms, silent, silentMs, warm }) {
    const tables = [];
    for (const { count, hung, ...contest } of contestsOf(bench.size)) {
      const servers = await bench.servers(count);
      const how = hung ? { ...contest, silent } : contest;
      const sizes = { ms: hung ? silentMs : ms, warm };
      tables.push(bench.print(await comparePairs(bench, redlock.contestants, servers, how, sizes)));
    }
    return tables;
  },
};
