// Facts about machine and versions. None of them names the machine or a folder on it.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, release, totalmem, type } from "node:os";

const folder = new URL("../", import.meta.url);

export function machineFacts() {
  const processors = cpus();
  return {
    system: `${type()} ${release()} ${arch()}`,
    processor: processors[0]?.model.trim() ?? "unknown",
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  };
}

/** The mean number of runnable processes in the last minute. */
export const load = () => Number(loadavg()[0].toFixed(2));

/** The versions of everything that is measured, by name. `redis`: the server's version. */
export function versions(redis) {
  const { dependencies } = readJson("package.json");
  const peers = Object.keys(dependencies).map((name) => [
    name,
    readJson(`node_modules/${name}/package.json`).version.replace(/^v/, ""),
  ]);
  return {
    redlatch: `${readJson("../../pkg/package.json").version}${commit()}`,
    node: process.versions.node,
    "redis-server": redis,
    ...Object.fromEntries(peers),
  };
}

function commit() {
  try {
    const options = { cwd: folder, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] };
    return ` (${execFileSync("git", ["rev-parse", "--short", "HEAD"], options).trim()})`;
  } catch {
    return "";
  }
}

const readJson = (path) => JSON.parse(readFileSync(new URL(path, folder), "utf8"));
