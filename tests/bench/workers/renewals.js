// A process that holds many locks and renews them: what that costs it and the server.
//
// `periods`: how many periods of renewal (a third of the lease) are measured. `warm` is the rule for the warm-up, in slices of a period.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../../js/support/processes.js";
import { commandsOf, open } from "../contenders/index.js";
import { takeMany } from "../measure/many.js";
import { openMeter, used } from "../measure/meter.js";
import { warmUp } from "../measure/steady.js";

const { name, port, count, lease, periods, warm } = input();
const period = lease / 3;
/** How many locks are released in the end, to see whether they are still held. */
const PROBES = 1_000;

const meter = await openMeter([port], commandsOf(name));
let lost = 0;
const onLost = () => {
  lost += 1;
};
const { take } = await open(name, { ports: [port], lanes: count, lease, renew: true, onLost });
const releases = await takeMany(take, count);

async function measure(ms) {
  const before = await meter.read();
  await pause(ms);
  return used(before, await meter.read());
}

const warmth = await warmUp(async () => {
  const sum = await measure(period);
  return sum.clientUs + sum.serverUs;
}, warm);
const sum = await measure(periods * period);
const renewals = (count * sum.ms) / period;
const probes = await Promise.allSettled(releases.slice(0, PROBES).map((release) => release()));
say({
  result: {
    clientShare: sum.clientUs / sum.ms / 10,
    serverShare: sum.serverUs / sum.ms / 10,
    clientUs: sum.clientUs / renewals,
    serverUs: sum.serverUs / renewals,
    commandsPerSecond: (sum.commands * 1_000) / sum.ms,
    lost: lost + probes.filter(({ status }) => status === "rejected").length,
    warmUp: warmth,
  },
});
process.exit();
