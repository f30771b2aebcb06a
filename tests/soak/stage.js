// The servers, the clients, and a proxy between each two of them.
import { fileURLToPath } from "node:url";
import { startProxy } from "../js/support/proxy.js";
import { programs } from "../js/support/runtimes.js";
import { Contender } from "./contender.js";

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

/**
 * Starts everything. Resolves to { topology, clients, links }: the topology that was opened, and proxies as `links[client][server]`, to
 * which `wire` listens.
 */
export async function setStage(scope, { topology, clients: count, seed, folder, credulous, ...more }) {
  const opened = await topology.open(scope, { seed, ...more });
  const links = [];
  const clients = [];
  for (let index = 0; index < count; index += 1) {
    const target = ({ redis }) => ({ host: "127.0.0.1", port: redis.port });
    links.push(await Promise.all(opened.servers.map((server) => startProxy(scope, target(server)))));
    for (const [at, link] of links[index].entries()) link.tap = more.wire.tap(index, at);
    const options = opened.options(links[index], index);
    const runtime = RUNTIMES[index % RUNTIMES.length];
    const input = { lanes: topology.lanes, options, seed: seed + 1_000 * index, credulous };
    const client = new Contender(scope, { runtime, index, folder, input });
    client.start();
    clients.push(client);
  }
  return { topology: opened, links, clients };
}
