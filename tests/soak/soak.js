// Contends, breaks and checks: node tests/soak/soak.js, with DURATION (seconds) and SEED. Exit code 1 if a rule was broken.
import { parseArgs } from "node:util";
import { runSoak } from "./run.js";
import { showSummary } from "./summary.js";

const { values } = parseArgs({
  options: {
    duration: { type: "string", default: process.env.DURATION || "1800" },
    seed: { type: "string", default: process.env.SEED || String(Date.now() % 1_000_000) },
    clients: { type: "string", default: "9" },
    credulous: { type: "boolean", default: false },
  },
});
const scope = [];
const result = await runSoak(
  { after: (cleanUp) => scope.unshift(cleanUp) },
  {
    seconds: Number(values.duration),
    seed: Number(values.seed),
    clients: Number(values.clients),
    credulous: values.credulous,
    say: console.log,
  },
);
for (const cleanUp of scope) await cleanUp();
showSummary(result, console.log);
process.exitCode = result.violations.length === 0 ? 0 : 1;
