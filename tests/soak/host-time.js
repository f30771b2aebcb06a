// One clock for all processes of this host, whatever runtime they are: the kernel's time since boot.
import { readFileSync } from "node:fs";

/** How exactly the clocks of two processes can be compared, ms. */
export const PRECISION = 1;

/** A look at that time, which the file gives in steps of 10 ms, between two readings of this process's own. */
function look() {
  const before = performance.now();
  const seen = Number(readFileSync("/proc/uptime", "latin1").split(" ")[0]) * 1_000;
  return { before, seen, after: performance.now() };
}

/** What to add to performance.now(), ms, at most PRECISION / 2 off: a step is waited for that is seen at once. */
function measureOffset() {
  let last = look();
  for (;;) {
    const next = look();
    const took = next.after - last.before;
    if (next.seen !== last.seen && took < PRECISION / 2) return next.seen - (last.before + next.after) / 2;
    last = next;
  }
}

const offset = measureOffset();

/** Monotonic ms since boot. */
export const now = () => performance.now() + offset;

/** How far this process's clock has gone astray since its start, ms. */
export const astray = () => measureOffset() - offset;
