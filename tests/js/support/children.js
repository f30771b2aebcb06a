// No child process outlives the test process, however it ends.
const alive = new Set();

function killAll() {
  for (const child of alive) child.kill("SIGKILL");
}

let watching = false;
function watch() {
  if (watching) return;
  watching = true;
  process.on("exit", killAll);
  for (const signal of ["SIGINT", "SIGTERM"]) {
    process.once(signal, () => {
      killAll();
      process.exit(128);
    });
  }
}

/** Registers `child` to be killed when this process ends; returns a promise of { code, signal }. */
export function tend(child) {
  watch();
  alive.add(child);
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      alive.delete(child);
      resolve({ code, signal });
    });
  });
}
