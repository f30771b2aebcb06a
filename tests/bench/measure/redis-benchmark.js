// redis-benchmark with the scripts of the handwritten lock: the limit of server and kernel, with a client in C.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { FREE, TAKE } from "../contenders/raw.js";

/** Ten times as many keys as draws, so that nearly every draw hits a key that no other has hit. */
const KEYS_PER_DRAW = 10;
const FILL =
  "for i = 0, ARGV[1] - 1 do redis.call('set', string.format('bench:%012d', i), 'token', 'PX', 120000) end";

/** Whether it is installed. */
export async function hasRedisBenchmark() {
  try {
    await promisify(execFile)("redis-benchmark", ["--version"]);
    return true;
  } catch {
    return false;
  }
}

/** { perSecond } of pairs: `count` acquires and `count` releases, each pipelined over one connection by `lanes`. */
export async function benchmarkPairs(server, lanes, count) {
  const keys = KEYS_PER_DRAW * count;
  await server.send("FLUSHALL");
  const take = await run(server, lanes, count, keys, TAKE, ["token", "120000"]);
  await server.send("FLUSHALL");
  await server.send("EVAL", FILL, 0, keys);
  const free = await run(server, lanes, count, keys, FREE, ["token"]);
  return { perSecond: 1 / (1 / take + 1 / free) };
}

/** Calls per second of one script. */
async function run(server, lanes, count, keys, script, args) {
  const digest = await server.send("SCRIPT", "LOAD", script);
  const options = ["-p", server.port, "-c", 1, "-P", lanes, "-n", count, "-r", keys, "--csv"];
  const command = ["EVALSHA", digest, 1, "bench:__rand_int__", ...args];
  const { stdout } = await promisify(execFile)("redis-benchmark", [...options, ...command].map(String));
  return rateOf(stdout);
}

/** The rate in what redis-benchmark prints with --csv: the second field of the last line. */
export function rateOf(csv) {
  const [, rate] = csv.trim().split("\n").at(-1).split('","');
  if (!(Number(rate) > 0)) throw new Error("redis-benchmark printed no rate");
  return Number(rate);
}
