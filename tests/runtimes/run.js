// Runs the JavaScript tests and prints a table: node run.js [--all] [part of a runtime's name] [part of a file's name]
// By default each runtime runs what it supplies something for, and the machine's Node.js everything (plan.js); with --all, every
// runtime runs every file that it can.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { runFile } from "./file.js";
import { watchIdleness } from "./idleness.js";
import { isAlone, jobsOf, onlyInstalled } from "./plan.js";
import { runtimes, tests } from "./runtimes.js";

const reports = mkdtempSync(join(tmpdir(), "redlatch-reports-"));
process.on("exit", () => rmSync(reports, { recursive: true, force: true }));

/** Deno counts a test that skips itself in its body as passed. */
function refuseHiddenSkips(jobs) {
  for (const { file } of jobs) {
    if (/\bt\.skip\(/.test(readFileSync(join(tests, file), "utf8"))) {
      throw new Error(`${file}: give the option skip in place of t.skip(), which Deno counts as passed`);
    }
  }
}

const began = performance.now();
const args = process.argv.slice(2).filter((arg) => arg !== "--all");
const [runtimePart = "", filePart = ""] = args;
// A file that is named runs wherever it can.
const all = process.argv.includes("--all") || filePart !== "";
const selected = runtimes.filter(({ name }) => name.toLowerCase().includes(runtimePart.toLowerCase()));
const jobs = jobsOf(selected, { all }).filter(({ file }) => file.includes(filePart));
refuseHiddenSkips(jobs);
/** Per file, how many tests each runtime reported: an early end that looks like success shows in nothing else. */
const reported = new Map(jobs.map(({ file }) => [file, new Map()]));
const totals = new Map(selected.map(({ name }) => [name, { files: 0, passed: 0, failed: 0, skipped: 0 }]));

async function runJob({ runtime, file }) {
  const total = totals.get(runtime.name);
  const report = join(reports, `${runtime.name} ${file.replaceAll("/", " ")}.xml`);
  const { seconds, output, ...counts } = await runFile(runtime, file, report);
  total.files += 1;
  for (const outcome of ["passed", "failed", "skipped"]) total[outcome] += counts[outcome];
  reported.get(file).set(runtime.name, counts.passed + counts.failed + counts.skipped);
  const verdict = counts.failed === 0 ? "ok" : "FAILED";
  const at = `${((performance.now() - began) / 1_000).toFixed(0)} s`;
  console.log(
    `${at.padStart(6)}  ${verdict.padEnd(6)} ${seconds.toFixed(1).padStart(5)} s  ${runtime.name.padEnd(12)} ${file}`,
  );
  // Indented: no line of it may look like one that .ci/tally counts.
  if (counts.failed > 0) console.log(output.replace(/^/gm, "    "));
}

/** Runs the jobs in their order, `width` at a time, and more while `hasRoom()` says so, asked once a second. */
async function runJobs(queue, width, hasRoom = () => false) {
  const running = new Set();
  const start = () => {
    const job = queue.shift();
    if (job === undefined) return;
    const run = runJob(job).finally(() => running.delete(run));
    running.add(run);
  };
  while (queue.length > 0 || running.size > 0) {
    while (queue.length > 0 && running.size < width) start();
    await Promise.race([...running, pause(1_000, undefined, { ref: false })]);
    if (hasRoom()) start();
  }
}

if (filePart === "") {
  console.log(
    all
      ? "The full set: every file on every runtime that can run it."
      : "The short set: every file on this machine's Node.js, and on the other runtimes those about what a runtime supplies." +
          " The full set is run by make test-all.",
  );
}
// Tests wait more than they work: with one file for each processor, it is idle for more than half of the time.
await runJobs(
  jobs.filter(({ file }) => !isAlone(file)),
  2 * availableParallelism(),
  watchIdleness(),
);
await runJobs(
  jobs.filter(({ file }) => isAlone(file)),
  1,
);

if (all && filePart === "") {
  for (const [name, why] of Object.entries(onlyInstalled))
    console.log(`only on this machine's Node.js: ${name}, ${why}`);
}
for (const [name, { files, passed, failed, skipped }] of totals) {
  const columns = [passed, "passed", failed, "failed", skipped, "skipped, in", files, "files"];
  console.log(`runtime ${name.padEnd(12)} ${columns.map((each) => String(each).padStart(4)).join(" ")}`);
}
const uneven = [...reported].filter(([, counts]) => new Set(counts.values()).size > 1);
for (const [file, counts] of uneven) {
  const each = [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(`${file}: not as many tests on each runtime: ${each}`);
}
const good = [...totals.values()].every(({ failed, passed }) => failed === 0 && passed > 0);
process.exitCode = totals.size > 0 && good && uneven.length === 0 ? 0 : 1;
