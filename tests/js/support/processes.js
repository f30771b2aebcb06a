// Worker processes that speak JSON lines on stdout.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { signal, tend } from "./children.js";
import { until } from "./conditions.js";

/**
 * Runs `script` (a file: URL) with `input` as JSON in argv[2], or `more` as its arguments, by `command`, which is this Node.js unless said
 * otherwise. The worker dies with `scope` (a test context or { after }); with `group`, so do the processes that it has started.
 * `messages`: what it said so far; `said(check)`: the first message that `check` accepts; `exit`: { code, signal }.
 */
export function startWorker(
  scope,
  script,
  input = {},
  { command = process.execPath, env = {}, args = [], more, cwd, group = false } = {},
) {
  const child = spawn(command, [...args, fileURLToPath(script), ...(more ?? [JSON.stringify(input)])], {
    // A pipe's end is how a group notices that this process was killed.
    stdio: [group ? "pipe" : "ignore", "pipe", "pipe"],
    env: { ...process.env, ...env },
    cwd,
    detached: group,
  });
  const ended = { done: false };
  const exit = tend(child, { group }).then((how) => {
    ended.done = true;
    return how;
  });
  const messages = [];
  const output = [];
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) messages.push(JSON.parse(line));
    else output.push(line);
  });
  createInterface({ input: child.stderr }).on("line", (line) => output.push(line));
  scope.after(async () => {
    signal(child, "SIGKILL");
    await exit;
  });
  return {
    child,
    signal: (name) => signal(child, name),
    exit,
    messages,
    /** What it printed besides JSON, standard error included. */
    output,
    async said(check, within = 10_000) {
      return until(
        () => {
          const found = messages.find(check);
          if (!found && ended.done)
            throw new Error(`the worker ended without saying it:\n${output.join("\n")}`);
          return found;
        },
        { within, what: "the worker's message" },
      );
    },
  };
}

/** For workers: what the parent passed, and one JSON line to it. */
export const input = () => JSON.parse(process.argv[2] ?? "{}");
export const say = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
