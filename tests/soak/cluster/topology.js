// A Redis Cluster of three primaries with a replica each.
import { startCluster } from "../../js/support/cluster.js";
import { NEEDED_IN_CLUSTER } from "../../js/support/rights.js";
import { Elections } from "../replicated/elections.js";
import { Inspector } from "../replicated/inspector.js";
import { ALL, LONGEST_LEASE } from "../replicated/lanes.js";
import { failovers, kindsWith, natMapOf, patiently } from "../replicated/plan.js";
import { Turns } from "../replicated/turns.js";
import { actionsInCluster } from "./actions.js";
import { excusesInCluster } from "./excuses.js";

const SHARDS = 3;
/** After which a silent server is taken for dead, ms. */
const SILENCE = 1_000;
export const cluster = {
  name: "cluster",
  longestLease: LONGEST_LEASE,
  lanes: new URL("../replicated/lanes.js", import.meta.url).href,
  servers: Array.from({ length: 2 * SHARDS }, () => ({ keeps: false })),
  kinds: kindsWith(),
  rhythms: [
    { kind: "slot moved", first: 500, every: 2_000, details: (r) => ({ lot: r.within(0, 999) }) },
    ...failovers(SHARDS, {
      killed: { first: 1_000, every: 15_000 },
      planned: { first: 3_000, every: 10_000 },
      stopped: { first: 5_000, every: 20_000 },
    }),
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
    const elections = new Elections(scope, { servers, names: ALL, won: /Failover election won/, note });
    const readAt = (...read) => checker.readAt(...read);
    const { excuse, answersOf } = excusesInCluster({ elections, wire, slots, ports, readAt });
    const { actions, isSilent, counts } = actionsInCluster({
      cluster: redises,
      servers,
      slots,
      elections,
      turns: new Turns(),
      checker,
      note,
      answersOf,
    });
    return {
      servers,
      options: (proxies, client) => optionsOf(ports, proxies, client),
      actions,
      inspector: new Inspector(servers, isSilent, checker),
      excuse,
      report: () => ({ ...elections.counts, ...counts }),
    };
  },
};

/** All servers are reached through proxies, and half of them are known from the start. */
function optionsOf(ports, proxies, client) {
  const natMap = natMapOf(ports, proxies);
  const seeds = proxies.filter((_, at) => (at + client) % 2 === 0).map(({ url }) => url);
  const options = { cluster: { seeds, natMap } };
  return patiently(client, { unconfirmed: options, confirmed: options }, 1);
}
