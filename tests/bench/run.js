// One measurement in a process of its own: `lanes` pairs in flight, each lane with a key of its own, for `ms`.
import { input, say } from "../js/support/processes.js";
import { contenders } from "./contenders.js";

const { name, port, lanes, ms, warmUp } = input();
const { pair, close } = await contenders[name](port, lanes);

/** Runs all lanes for so many ms; the number of pairs. */
async function drive(duration) {
  const end = performance.now() + duration;
  let pairs = 0;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() < end) {
        await pair(`bench:${lane}`);
        pairs += 1;
      }
    }),
  );
  return pairs;
}

await drive(warmUp);
const cpu = process.cpuUsage();
const began = performance.now();
const pairs = await drive(ms);
const seconds = (performance.now() - began) / 1000;
const { user, system } = process.cpuUsage(cpu);
await close();
say({ perSecond: pairs / seconds, cpuPerPair: (user + system) / pairs });
