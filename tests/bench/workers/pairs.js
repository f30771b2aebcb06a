// One measurement in a process of its own: `lanes` pairs in flight, each lane with a key of its own, or with `keys` keys.
//
// Each lane holds its lock for 0 to `turns` turns of the event loop. `warm` is the rule for the warm-up, `ms` the duration of the
// measurement. With `silent`, the last server is made to hang between the two, and the measurement begins `silent` ms later.
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { input, say } from "../../js/support/processes.js";
import { commandsOf, open } from "../contenders/index.js";
import { openMeter, used } from "../measure/meter.js";
import { warmUp } from "../measure/steady.js";

const { name, ports, lanes, keys = 1, turns = 0, ms, warm, silent } = input();
const { take } = await open(name, { ports, lanes, silent: silent !== undefined });
// A server that hangs cannot be asked.
const meter = await openMeter(silent === undefined ? ports : ports.slice(0, -1), commandsOf(name));

let pairs = 0;
let failures = 0;
let failure;

async function run(lane) {
  const key = keys === 1 ? `bench:${lane}` : Array.from({ length: keys }, (_, at) => `bench:${lane}:${at}`);
  for (;;) {
    try {
      const release = await take(key);
      for (let left = Math.floor(Math.random() * (turns + 1)); left > 0; left -= 1) await turn();
      await release();
      pairs += 1;
    } catch (error) {
      failures += 1;
      failure ??= error;
      await turn();
    }
  }
}

/** Pairs per second of one slice. */
async function slice() {
  const [before, began] = [pairs, performance.now()];
  await pause(warm.slice);
  return ((pairs - before) * 1_000) / (performance.now() - began);
}

for (let lane = 0; lane < lanes; lane += 1) run(lane);
const warmth = await warmUp(slice, warm);
if (failure) throw failure;
if (silent !== undefined) {
  say({ warm: true });
  await meter.server.send("BLPOP", "bench:silent", 60);
  await pause(silent);
}

const start = { ...(await meter.read()), pairs, failures };
await pause(ms);
// On a busy machine a short measurement may see no pair, and there is no mean of none.
while (silent === undefined && failure === undefined && pairs === start.pairs) await turn();
const end = { ...(await meter.read()), pairs, failures };
if (failure && silent === undefined) throw failure;
const sum = used(start, end);
say({
  result: {
    perSecond: (sum.pairs * 1_000) / sum.ms,
    cpuPerPair: sum.clientUs / sum.pairs,
    serverPerPair: sum.serverUs / sum.pairs,
    commandsPerPair: sum.commands / sum.pairs,
    failures: sum.failures,
    warmUp: warmth,
  },
});
// The lanes still run, and some peers keep the process alive once they have been used.
process.exit();
