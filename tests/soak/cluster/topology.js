// A Redis Cluster of three primaries with a replica each.
import { startCluster } from "../../js/support/cluster.js";
import { NEEDED_IN_CLUSTER } from "../../js/support/rights.js";
import { actionsOn } from "./actions.js";
import { Elections } from "./elections.js";
import { answersOfFormer, excuses } from "./excuses.js";
import { Inspector } from "./inspector.js";
import { ALL, CONFIRMED, LONGEST_LEASE } from "./lanes.js";
import { Turns } from "./turns.js";

const SHARDS = 3;
/** After which a silent server is taken for dead, ms. */
const SILENCE = 1_000;
/** How long most clients wait for an answer, ms: longer than a stopped primary is away, so that they hear what it says then. */
const PATIENT = 10_000;
/** One client in so many is not patient. */
const IMPATIENT = 3;

const shard = (r) => ({ shard: r.within(0, SHARDS - 1) });

export const cluster = {
  name: "cluster",
  longestLease: LONGEST_LEASE,
  lanes: new URL("lanes.js", import.meta.url).href,
  servers: Array.from({ length: 2 * SHARDS }, () => ({ keeps: false })),
  kinds: {
    // Too short for a failover.
    "server stopped": [3, "server", (r) => ({ for: r.within(20, 300) })],
    "scripts forgotten": [4, "server", () => ({ for: 0 })],
    "connections killed": [4, "server", () => ({ for: 0 })],
    "key deleted": [1, "server", (r) => ({ which: r.within(0, 999), for: 0 })],
  },
  rhythms: [
    { kind: "slot moved", first: 500, every: 2_000, details: (r) => ({ lot: r.within(0, 999) }) },
    {
      kind: "primary killed",
      first: 1_000,
      every: 15_000,
      details: (r) => ({ ...shard(r), for: r.within(0, 1_000) }),
    },
    { kind: "planned failover", first: 3_000, every: 10_000, details: shard },
    {
      kind: "primary stopped",
      first: 5_000,
      every: 20_000,
      // Mostly, clients are made to hear of its successor, while commands of theirs wait in its queues.
      details: (r) => ({ ...shard(r), for: r.within(0, 4_000), spread: r.chance(0.7) }),
    },
  ],
  async open(scope, { checker, note, wire }) {
    const redises = await startCluster(scope, {
      nodes: SHARDS,
      replicas: 1,
      lasting: true,
      rights: [...NEEDED_IN_CLUSTER, "+wait"],
      config: { "cluster-node-timeout": SILENCE },
    });
    const all = () => [...redises.nodes, ...redises.replicas];
    const servers = all().map((_, index) => ({
      index,
      shard: index % SHARDS,
      // One that was started again is another process.
      get redis() {
        return all()[index];
      },
    }));
    const ports = all().map(({ port }) => port);
    const slots = new Map();
    for (const name of ALL) slots.set(name, await redises.slotOf(`lock:${name}`));
    const elections = new Elections(scope, { servers, names: ALL, note });
    const turns = new Turns();
    const seen = { wire, slots, ports };
    const { actions, isSilent, counts } = actionsOn({
      cluster: redises,
      servers,
      slots,
      elections,
      turns,
      checker,
      note,
      answersOf: (server, election) => answersOfFormer(seen, server, election),
    });
    return {
      servers,
      options: (proxies, client) => optionsOf(ports, proxies, client),
      actions,
      inspector: new Inspector(servers, isSilent, checker),
      excuse: excuses({ ...seen, elections, readAt: (...read) => checker.readAt(...read) }),
      report: () => ({ ...elections.counts, ...counts }),
    };
  },
};

/** All servers are reached through proxies, and half of them are known from the start. */
function optionsOf(ports, proxies, client) {
  const address = (port) => `127.0.0.1:${port}`;
  const natMap = Object.fromEntries(ports.map((port, at) => [address(port), address(proxies[at].port)]));
  const seeds = proxies.filter((_, at) => (at + client) % 2 === 0).map(({ url }) => url);
  const options = { cluster: { seeds, natMap } };
  const nodeTimeout = client % IMPATIENT === 0 ? {} : { nodeTimeout: PATIENT };
  // A missing replica keeps the connection busy for `nodeTimeout`, and each command behind it for once more.
  return { cluster: { ...options, ...nodeTimeout }, [CONFIRMED]: { ...options, replicas: 1 } };
}
