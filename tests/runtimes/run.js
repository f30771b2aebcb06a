// Runs the suite on every runtime and prints a table: node run.js [part of a runtime's name] [part of a file's name]
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { notRun, runtimes } from "./runtimes.js";

/** For a file, ms. Not all runtimes hold a test to its own limit. */
const LIMIT = 300_000;
/** What a file that was told to end may take to end its servers, ms. */
const GRACE = 5_000;

const tests = fileURLToPath(new URL("../js", import.meta.url));
const reports = mkdtempSync(join(tmpdir(), "redlatch-reports-"));
process.on("exit", () => rmSync(reports, { recursive: true, force: true }));

/** { passed, failed, skipped, output } of one file. One that reports no test, or ends badly without a reason, has failed. */
async function runFile({ binary, args }, file, report) {
  const child = spawn(binary, args(file, report), {
    cwd: tests,
    env: { ...process.env, NO_COLOR: "1", DENO_NO_UPDATE_CHECK: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => output.push(bytes));
  child.once("error", (error) => output.push(Buffer.from(`${error.message}\n`)));
  const stop = (signal, note) => () => {
    output.push(Buffer.from(`${note}\n`));
    child.kill(signal);
  };
  const timers = [
    setTimeout(stop("SIGTERM", `not done after ${LIMIT / 1_000} s`), LIMIT),
    setTimeout(stop("SIGKILL", "and did not end when told to"), LIMIT + GRACE),
  ];
  const code = await new Promise((resolve) => child.once("close", resolve));
  for (const timer of timers) clearTimeout(timer);
  const counts = countsIn(report);
  const silent = counts.passed + counts.failed + counts.skipped === 0;
  if (counts.failed === 0 && (code !== 0 || silent)) counts.failed = 1;
  return { ...counts, output: Buffer.concat(output).toString() };
}

function countsIn(report) {
  // None if it did not get as far as to write one.
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  const count = (pattern) => xml.match(pattern)?.length ?? 0;
  const failed = count(/<(failure|error)[\s>]/g);
  const skipped = count(/<skipped\b/g);
  return { failed, skipped, passed: count(/<testcase\b/g) - failed - skipped };
}

function jobsFor(runtime, wanted) {
  return runtime.folders.flatMap((folder) =>
    readdirSync(join(tests, folder))
      .filter((name) => name.endsWith(".test.js") && !(name in notRun) && name.includes(wanted))
      .map((name) => ({ runtime, name, file: `./${folder}/${name}` })),
  );
}

/** Deno counts what skips itself in its body as passed. */
function refuseHiddenSkips(jobs) {
  for (const { file } of jobs) {
    if (/\bt\.skip\(/.test(readFileSync(join(tests, file), "utf8"))) {
      throw new Error(`${file}: give the option skip in place of t.skip(), which Deno counts as passed`);
    }
  }
}

const [chosen = "", wanted = ""] = process.argv.slice(2);
const selected = runtimes.filter(({ name }) => name.toLowerCase().includes(chosen.toLowerCase()));
const jobs = selected.flatMap((runtime) => jobsFor(runtime, wanted));
refuseHiddenSkips(jobs);
/** Per file, how many tests each runtime reported: an early end that looks like success shows in nothing else. */
const reported = new Map(jobs.map(({ file }) => [file, new Map()]));
const totals = new Map(selected.map(({ name }) => [name, { files: 0, passed: 0, failed: 0, skipped: 0 }]));

async function work() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { runtime, name, file } = job;
    const total = totals.get(runtime.name);
    const result = await runFile(runtime, file, join(reports, `${runtime.name} ${name}.xml`));
    total.files += 1;
    for (const outcome of ["passed", "failed", "skipped"]) total[outcome] += result[outcome];
    reported.get(file).set(runtime.name, result.passed + result.failed + result.skipped);
    // Indented: none of it is to be taken for a line of the tally.
    if (result.failed > 0) console.log(`${runtime.name}, ${name}:\n${result.output.replace(/^/gm, "    ")}`);
  }
}

// Tests wait more than they work: with one for each processor, it is idle for more than half of the time.
await Promise.all(Array.from({ length: 2 * availableParallelism() }, work));

for (const [name, why] of Object.entries(notRun)) console.log(`not run on these: ${name}, ${why}`);
for (const [name, { files, passed, failed, skipped }] of totals) {
  const columns = [passed, "passed", failed, "failed", skipped, "skipped, in", files, "files"];
  console.log(`runtime ${name.padEnd(12)} ${columns.map((each) => String(each).padStart(4)).join(" ")}`);
}
const uneven = [...reported].filter(([, counts]) => new Set(counts.values()).size > 1);
for (const [file, counts] of uneven) {
  const each = [...counts].map(([name, count]) => `${name} ${count}`).join(", ");
  console.log(`${file}: not as many tests on each runtime: ${each}`);
}
const all = [...totals.values()];
const good = all.length > 0 && all.every(({ failed, passed }) => failed === 0 && passed > 0);
process.exitCode = good && uneven.length === 0 ? 0 : 1;
