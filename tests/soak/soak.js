// Contends, breaks and checks, on the servers of TOPOLOGY, for DURATION seconds, by SEED. Exit code 1 if a rule was broken.
import { parseArgs } from "node:util";
import { runSoak } from "./run.js";
import { showSummary } from "./summary.js";
import { names, topologyOf } from "./topologies.js";

const HELP = `usage: node tests/soak/soak.js [OPTION...]

  --topology=NAME     ${names.join(", ")}: which servers there are (TOPOLOGY; single)
  --duration=SECONDS  for how long faults are injected (DURATION; 1800)
  --seed=NUMBER       of which plan (SEED; drawn)
  --clients=NUMBER    how many processes contend (10)
  --credulous         a control: clients believe in a lock until they release it, which must violate exclusion

The exit status is 1 if a rule was broken, and 2 if an option is wrong. tests/soak/README.md says what is checked.`;

const { values } = parseArgs({
  options: {
    topology: { type: "string", default: process.env.TOPOLOGY || "single" },
    duration: { type: "string", default: process.env.DURATION || "1800" },
    seed: { type: "string", default: process.env.SEED || String(Date.now() % 1_000_000) },
    clients: { type: "string", default: "10" },
    credulous: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
// A name that does not exist is told in a line.
try {
  topologyOf(values.topology);
} catch (error) {
  console.error(error.message);
  process.exit(2);
}
const cleanUps = [];
const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };
try {
  const result = await runSoak(scope, {
    topology: values.topology,
    seconds: Number(values.duration),
    seed: Number(values.seed),
    clients: Number(values.clients),
    credulous: values.credulous,
    say: console.log,
  });
  showSummary(result, console.log);
  process.exitCode = result.violations.length === 0 ? 0 : 1;
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}
