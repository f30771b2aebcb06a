// One measurement in a process of its own: `lanes` pairs in flight, each lane with a key of its own, for `ms`.
import { input, say } from "../js/support/processes.js";
import { contenders } from "./contenders.js";

const { name, ports, lanes, ms, warmUp } = input();
const { take, close } = await contenders[name].open(ports, lanes > 1);

/** Runs all lanes for that many ms; returns the number of pairs. */
async function drive(duration) {
  const end = performance.now() + duration;
  let pairs = 0;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      while (performance.now() < end) {
        const release = await take(`bench:${lane}`);
        await release();
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
const seconds = (performance.now() - began) / 1_000;
const { user, system } = process.cpuUsage(cpu);
say({ perSecond: pairs / seconds, cpuPerPair: (user + system) / pairs });
// Some peers keep the process alive once they have been used.
await Promise.race([close(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
process.exit();
