// Runs one test file on one runtime, and counts what it reported.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { tests } from "./runtimes.js";

/** For a file, ms. Not all runtimes hold a test to its own limit. */
const LIMIT = 300_000;
/** What a file that was told to end may take to end its servers, ms. */
const GRACE = 5_000;

/**
 * Resolves to { passed, failed, skipped, output, seconds }. A file that reports no test, or ends badly without a reason, has failed.
 * `report`: where the runtime shall write its JUnit report.
 */
export async function runFile({ binary, args }, file, report) {
  const began = performance.now();
  const child = spawn(binary, args(`./${file}`, report), {
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
  const seconds = (performance.now() - began) / 1_000;
  return { ...counts, seconds, output: Buffer.concat(output).toString() };
}

function countsIn(report) {
  // There is none if the runtime did not get as far as writing it.
  const xml = existsSync(report) ? readFileSync(report, "utf8") : "";
  const count = (pattern) => xml.match(pattern)?.length ?? 0;
  const failed = count(/<(failure|error)[\s>]/g);
  const skipped = count(/<skipped\b/g);
  return { failed, skipped, passed: count(/<testcase\b/g) - failed - skipped };
}
