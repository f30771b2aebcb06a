// The servers, the clients, and a proxy between each two of them.
import { randomInt } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { until } from "../js/support/conditions.js";
import { startProxy } from "../js/support/proxy.js";
import { startRedis } from "../js/support/redis.js";
import { programs } from "../js/support/runtimes.js";
import { Contender } from "./contender.js";
import { SERVERS } from "./locks.js";

const DENO_SETTINGS = fileURLToPath(new URL("../js/deno.json", import.meta.url));

const RUNTIMES = [
  { name: "node20", command: process.execPath, args: [] },
  { name: "node22", command: programs.node22, args: [] },
  { name: "node24", command: programs.node24, args: [] },
  {
    name: "deno",
    command: programs.deno,
    args: ["run", "--quiet", "--allow-all", "--no-check", `--config=${DENO_SETTINGS}`],
  },
  { name: "bun", command: programs.bun, args: ["run"] },
];

/** Starts everything; returns { servers, clients, links }, `links[client][server]` being proxies, to which `wire` listens. */
export async function setStage(scope, { clients: count, seed, folder, credulous, wire }) {
  const servers = await Promise.all(SERVERS.map((kind) => startServer(scope, kind)));
  const links = [];
  const clients = [];
  for (let index = 0; index < count; index += 1) {
    const target = ({ redis }) => ({ host: "127.0.0.1", port: redis.port });
    links.push(await Promise.all(servers.map((server) => startProxy(scope, target(server)))));
    const urls = {};
    for (const [at, { group }] of servers.entries()) {
      links[index][at].tap = wire.tap(index, at);
      urls[group] ??= [];
      urls[group].push(links[index][at].url);
    }
    const runtime = RUNTIMES[index % RUNTIMES.length];
    const client = new Contender(scope, { runtime, index, folder, urls, seed, credulous });
    client.start();
    clients.push(client);
  }
  return { servers, clients, links };
}

/** A port that the kernel gives to nobody else while its server is down: below those that it hands out. */
function lastingPort() {
  const lowest = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/)[0]);
  return randomInt(10_000, Math.max(lowest, 10_100));
}

/** One of SERVERS, which can be killed and started again on its port, with its data if it keeps them. */
export async function startServer(scope, { group, keeps }) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-soak-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = keeps
    ? { appendonly: "yes", appendfsync: "always", "auto-aof-rewrite-min-size": "4mb" }
    : { appendonly: "no" };
  let end;
  async function start() {
    const own = {
      after: (stop) => {
        end = stop;
      },
    };
    const before = server.redis;
    let problem;
    // The port may be somebody else's when it is drawn, and for a moment afterwards.
    await until(
      async () => {
        const port = before?.port ?? lastingPort();
        server.redis = await startRedis(own, { folder, config, port }).catch((error) => {
          problem = error;
          return before;
        });
        return server.redis !== before;
      },
      { within: 60_000, every: 200, what: "the server's start" },
    ).catch((error) => {
      throw new Error(error.message, { cause: problem });
    });
  }
  let last = Promise.resolve();
  const server = {
    group,
    keeps,
    /**
     * Kills it, and starts it again when `absence()` has resolved. One restart after the other, though plans leave some time between
     * them: one that is just being started cannot be killed, and would be there while it is thought to be away.
     */
    restart(absence) {
      last = last.then(async () => {
        await server.redis.stop();
        await absence();
        await start();
      });
      return last;
    },
  };
  await start();
  scope.after(() => end());
  return server;
}
