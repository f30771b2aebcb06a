// The runtimes that the package is installed for: the Node.js that runs the tests, and those of tests/runtimes.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { programs } from "../../support/runtimes.js";

/** By name: the command that runs a program. Deno gets the network and nothing else. */
export const runtimes = {
  [`Node ${process.versions.node}`]: [process.execPath],
  "Node 22": [programs.node22],
  "Node 24": [programs.node24],
  Deno: [programs.deno, "run", "--no-prompt", "--cached-only", "--allow-net"],
  Bun: [programs.bun, "run"],
};

/** Runs a command; resolves with { status, stdout, stderr }, whatever the status. */
export async function execute([command, ...args], { cwd, env = {}, timeout = 60_000 } = {}) {
  const options = { cwd, timeout, killSignal: "SIGKILL", env: { ...process.env, ...env } };
  try {
    const { stdout, stderr } = await promisify(execFile)(command, args, options);
    return { status: 0, stdout, stderr };
  } catch (error) {
    if (error.stdout === undefined) throw error;
    return { status: error.code ?? error.signal, stdout: error.stdout, stderr: error.stderr };
  }
}
