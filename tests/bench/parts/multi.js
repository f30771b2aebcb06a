// One lock of several keys, all or nothing.
import { contestants } from "../contenders/index.js";
import { comparePairs } from "../measure/pairs.js";

export const multi = {
  name: "multi",
  about: "acquire and release of 10 keys at once, 64 in flight; redis-semaphore has no such lock",
  contestants: contestants(({ several }) => several),
  sizes: {
    full: { ms: 2_000, warm: { slice: 250, span: 4, change: 0.03, atMost: 8_000 } },
    quick: { ms: 250, warm: { slice: 50, span: 3, change: 0.1, atMost: 350 } },
  },
  samples: (rounds) => multi.contestants.length * rounds,
  secondsEach: { full: 7, quick: 0.9 },
  async run(bench, sizes) {
    const contest = { id: "multi/10", where: "1 server, 10 keys each", lanes: 64, keys: 10 };
    const servers = await bench.servers(1);
    return [bench.print(await comparePairs(bench, multi.contestants, servers, contest, sizes))];
  },
};
