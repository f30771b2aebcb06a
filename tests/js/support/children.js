// No child process outlives the test process, unless that is killed by SIGKILL; after guard(), not even then.
import { spawn } from "node:child_process";

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

/** Reads "+ target" and "- target", and kills what is left when there is nothing more to read. */
const GUARD = `alive=' '
while read -r sign target; do
  case $sign in
    +) alive="$alive$target " ;;
    -) case $alive in *" $target "*) alive="\${alive%% $target *} \${alive#* $target }" ;; esac ;;
  esac
done
for target in $alive; do kill -s KILL -- "$target" 2>/dev/null; done`;

let guardian;
/**
 * From now on, a process of its own kills all children when this one has ended, for SIGKILL leaves no time to do it. A child that is
 * stopped would not notice the end, and would stay for good.
 */
export function guard() {
  if (guardian !== undefined) return;
  // A signal to this process's group does not concern it.
  guardian = spawn("/bin/sh", ["-c", GUARD], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  guardian.stdin.on("error", () => {
    // Somebody has killed it.
  });
  for (const handle of [guardian, guardian.stdin]) handle.unref();
  for (const target of alive.values()) guardian.stdin.write(`+ ${target}\n`);
}

/**
 * Registers `child` to be killed when this process ends; returns a promise of { code, signal }. With `group`, it leads a group of
 * processes (spawn's `detached`): all of them get its signals, and none outlives it.
 */
export function tend(child, { group = false } = {}) {
  watch();
  const target = group ? -child.pid : child.pid;
  // One that did not start has nothing to be signalled.
  if (child.pid !== undefined) {
    alive.set(child, target);
    guardian?.stdin.write(`+ ${target}\n`);
  }
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      if (group && child.pid !== undefined) send(target, "SIGKILL");
      if (alive.delete(child)) guardian?.stdin.write(`- ${target}\n`);
      resolve({ code, signal });
    });
  });
}
