// Whether the processors have time for another test file.
import { cpus } from "node:os";

/** The share of idle time that another file may use, and over how many ms it is measured at least. */
const SHARE = 0.4;
const SPAN = 1_000;

function processorTimes() {
  const times = cpus().map((each) => each.times);
  const idle = times.reduce((sum, each) => sum + each.idle, 0);
  const all = times.reduce((sum, each) => sum + Object.values(each).reduce((total, ms) => total + ms, 0), 0);
  return { at: performance.now(), idle, all };
}

/** Returns a function: whether the processors were idle for enough of the time since it last said yes or no. */
export function watchIdleness() {
  let last = processorTimes();
  return () => {
    if (performance.now() - last.at < SPAN) return false;
    const now = processorTimes();
    const isIdle = now.idle - last.idle > SHARE * (now.all - last.all);
    last = now;
    return isIdle;
  };
}
