// No child process outlives the test process, however it ends.
/** By child, what to signal: its process id, or that of its group as a negative number. */
const alive = new Map();

/**
 * Sends `child` a signal, unless it has ended. Not by child.kill(): in Deno that does nothing after the first time, so that
 * what was stopped could neither go on nor be killed.
 */
export function signal(child, name) {
  const target = alive.get(child);
  if (target !== undefined) send(target, name);
}

function send(target, name) {
  try {
    process.kill(target, name);
  } catch (error) {
    // It has ended, and its "close" is on the way.
    if (error.code !== "ESRCH") throw error;
  }
}

function killAll() {
  for (const target of alive.values()) send(target, "SIGKILL");
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

/**
 * Registers `child` to be killed when this process ends; returns a promise of { code, signal }. With `group`, it leads a group of
 * processes (spawn's `detached`): all of them get its signals, and none outlives it.
 */
export function tend(child, { group = false } = {}) {
  watch();
  const target = group ? -child.pid : child.pid;
  // One that did not start has nothing to be signalled.
  if (child.pid !== undefined) alive.set(child, target);
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      if (group && child.pid !== undefined) send(target, "SIGKILL");
      alive.delete(child);
      resolve({ code, signal });
    });
  });
}
