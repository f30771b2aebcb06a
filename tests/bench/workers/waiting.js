// A process with many waiters for one lock: what they cost while they wait, and how fast they are served then.
//
// `ms`: how long the waiting is measured; `seconds`: how long they are served at most. `warm` is the rule for the warm-up, in slices of
// `warm.slice` ms.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../../js/support/processes.js";
import { commandsOf, open } from "../contenders/index.js";
import { openMeter, used } from "../measure/meter.js";
import { warmUp } from "../measure/steady.js";

const { name, port, count, ms, seconds, warm } = input();
const KEY = "bench:waited-for";
const options = { ports: [port], lanes: count, lease: 120_000 };

const meter = await openMeter([port], commandsOf(name));
const holder = await open(name, options);
const letGo = await holder.take(KEY);
const { take } = await open(name, options);

let served = 0;
let whenAllServed;
const allServed = new Promise((resolve) => {
  whenAllServed = resolve;
});
for (let waiter = 0; waiter < count; waiter += 1) wait();

async function wait() {
  const release = await take(KEY);
  await release();
  served += 1;
  if (served === count) whenAllServed();
}

async function measure(time) {
  const before = await meter.read();
  await pause(time);
  return used(before, await meter.read());
}

/** Percents of a core, and one more: of less than that, changes say nothing. */
const warmth = await warmUp(async () => {
  const sum = await measure(warm.slice);
  return 1 + (sum.clientUs + sum.serverUs) / sum.ms / 10;
}, warm);
const idle = await measure(ms);

const before = await meter.read();
await letGo();
await Promise.race([allServed, pause(1_000 * seconds)]);
const busy = used(before, await meter.read());
say({
  result: {
    clientShare: idle.clientUs / idle.ms / 10,
    serverShare: idle.serverUs / idle.ms / 10,
    commandsPerSecond: (idle.commands * 1_000) / idle.ms,
    served,
    usPerServed: (busy.ms * 1_000) / served,
    clientUsPerServed: busy.clientUs / served,
    serverUsPerServed: busy.serverUs / served,
    commandsPerServed: busy.commands / served,
    warmUp: warmth,
  },
});
process.exit();
