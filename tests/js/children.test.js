// What a test process has started does not outlive it, even if it is stopped.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { until } from "./support/conditions.js";
import { startWorker } from "./support/processes.js";

/** The state of a process, as `ps` shows it; undefined if there is none. */
function stateOf(pid) {
  try {
    return /^\d+ \(.*\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, "latin1"))[1];
  } catch {
    return undefined;
  }
}

/** It is no more, or nobody has asked for its exit code yet. */
const isGone = (pid) => [undefined, "Z", "X"].includes(stateOf(pid));

for (const signal of ["SIGKILL", "SIGTERM", "SIGINT"]) {
  test(`what is stopped ends with the process that started it, by ${signal}`, {
    skip: process.platform !== "linux",
  }, async (t) => {
    const runner = startWorker(t, new URL("guarded.js", import.meta.url));
    const { stopped } = await runner.said((message) => message.stopped);
    assert.equal(stopped.length, 2);
    await until(() => stopped.every((pid) => stateOf(pid) === "T"), { what: "their stop" });
    runner.signal(signal);
    await runner.exit;
    await until(() => stopped.every(isGone), { what: "their end" });
  });
}
