// No child process outlives the test process, however it ends.
const alive = new Set();

/**
 * Sends `child` a signal, unless it has ended. Not by child.kill(): in Deno that does nothing after the first time, so that
 * what was stopped could neither go on nor be killed.
 */
export function signal(child, name) {
  if (!alive.has(child)) return;
  try {
    process.kill(child.pid, name);
  } catch (error) {
    // It has ended, and its "close" is on the way.
    if (error.code !== "ESRCH") throw error;
  }
}

function killAll() {
  for (const child of alive) signal(child, "SIGKILL");
}

let watching = false;
function watch() {
  if (watching) return;
  watching = true;
  process.on("exit", killAll);
  for (const name of ["SIGINT", "SIGTERM"]) {
    process.once(name, () => {
      killAll();
      process.exit(128);
    });
  }
}

/** Registers `child` to be killed when this process ends; returns a promise of { code, signal }. */
export function tend(child) {
  watch();
  // One that did not start has nothing to be signalled.
  if (child.pid !== undefined) alive.add(child);
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      resolve({ code, signal });
    });
  });
}
