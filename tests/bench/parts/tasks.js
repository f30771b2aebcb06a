// Tasks that each go their own way: their acquires and releases come in any order, and not all in one turn of the event loop.
import { contestants, isLibrary } from "../contenders/index.js";
import { comparePairs } from "../measure/pairs.js";

const everybody = contestants(isLibrary);
/** Of the peers, the one that is mostly the fastest. */
const few = contestants(({ name }) => name === "redlatch" || name === "redis-semaphore");

export const tasks = {
  name: "tasks",
  about: "64 and 512 tasks on one server, each of which holds its lock for 0 to 3 turns of the event loop",
  sizes: {
    full: {
      counts: [64, 512],
      contestants: everybody,
      ms: 2_000,
      warm: { slice: 250, span: 4, change: 0.03, atMost: 10_000 },
    },
    quick: {
      counts: [64],
      contestants: few,
      ms: 200,
      warm: { slice: 50, span: 3, change: 0.1, atMost: 300 },
    },
  },
  samples: (rounds, size) => tasks.sizes[size].counts.length * tasks.sizes[size].contestants.length * rounds,
  secondsEach: { full: 8, quick: 0.9 },
  async run(bench, { counts, contestants, ...sizes }) {
    const servers = await bench.servers(1);
    const tables = [];
    for (const lanes of counts) {
      const contest = { id: `tasks/${lanes}`, where: "tasks, 1 server(s)", lanes, turns: 3 };
      tables.push(bench.print(await comparePairs(bench, contestants, servers, contest, sizes)));
    }
    return tables;
  },
};
