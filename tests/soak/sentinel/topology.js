// A master with two replicas, and three sentinels.
import { NEEDED } from "../../js/support/rights.js";
import { startSentinels } from "../../js/support/sentinels.js";
import { Elections } from "../replicated/elections.js";
import { Inspector } from "../replicated/inspector.js";
import { ALL, LONGEST_LEASE } from "../replicated/lanes.js";
import { failovers, kindsWith, natMapOf, patiently } from "../replicated/plan.js";
import { Turns } from "../replicated/turns.js";
import { actionsOnSentinels } from "./actions.js";
import { excusesWithSentinels } from "./excuses.js";

const REPLICAS = 2;
const WITH_KEYS = 1 + REPLICAS;
const SENTINELS = 3;
/**
 * Half of Redis' periods and less, ms, for more failovers: a former master is made a replica after some 5 s, not 10 s. A sentinel that
 * was stopped does nothing for some time, for its clock might be wrong: the two others could not replace a master without it.
 */
const PERIODS = { "INFO-PERIOD": 2_000, "PUBLISH-PERIOD": 1_000, "TILT-PERIOD": 5_000 };

const oneSentinel = (r) => ({ sentinel: r.within(0, SENTINELS - 1) });

export const sentinel = {
  name: "sentinel",
  longestLease: LONGEST_LEASE,
  lanes: new URL("../replicated/lanes.js", import.meta.url).href,
  // A client's two groups have proxies of their own to the sentinels.
  servers: Array.from({ length: WITH_KEYS + 2 * SENTINELS }, () => ({ keeps: false })),
  kinds: kindsWith((r) => ({ server: r.within(0, WITH_KEYS - 1) })),
  rhythms: [
    ...failovers(1, {
      planned: { first: 500, every: 30_000 },
      killed: { first: 2_000, every: 30_000 },
      stopped: { first: 12_000, every: 30_000 },
    }),
    {
      kind: "sentinel killed",
      first: 4_000,
      every: 20_000,
      details: (r) => ({ ...oneSentinel(r), for: r.within(0, 3_000) }),
    },
    {
      kind: "sentinel stopped",
      first: 10_000,
      every: 20_000,
      details: (r) => ({ ...oneSentinel(r), for: r.within(500, 8_000) }),
    },
  ],
  async open(scope, { checker, note, wire }) {
    const group = await startSentinels(scope, {
      replicas: REPLICAS,
      sentinels: SENTINELS,
      lasting: true,
      rights: [...NEEDED, "+wait"],
      periods: PERIODS,
    });
    // What was started again is another process.
    const onesOf = (list) =>
      list.map((_, index) => ({
        index,
        shard: 0,
        get redis() {
          return list[index];
        },
      }));
    const servers = onesOf(group.servers);
    const ports = group.servers.map(({ port }) => port);
    const elections = new Elections(scope, {
      servers,
      names: ALL,
      won: /MASTER MODE enabled/,
      yields: /(?:REPLICAOF|SLAVEOF) \S+ enabled/,
      note,
    });
    const { excuse, answersOf } = excusesWithSentinels({ elections, wire, ports, checker });
    const { actions, isSilent, counts } = actionsOnSentinels({
      group,
      servers,
      names: ALL,
      elections,
      turns: new Turns(),
      checker,
      note,
      answersOf,
    });
    return {
      servers: [...servers, ...onesOf(group.sentinels), ...onesOf(group.sentinels)],
      options: (proxies, client) => optionsOf(group, ports, proxies, client),
      actions,
      inspector: new Inspector(servers, isSilent, checker),
      excuse,
      report: () => ({ ...elections.counts, ...counts }),
    };
  },
};

/** All servers are reached through proxies. */
function optionsOf({ option }, ports, proxies, client) {
  const natMap = natMapOf(ports, proxies);
  const through = (first) => ({
    sentinel: {
      ...option,
      sentinels: proxies.slice(first, first + SENTINELS).map(({ url }) => url),
      natMap,
    },
  });
  const groups = { unconfirmed: through(WITH_KEYS), confirmed: through(WITH_KEYS + SENTINELS) };
  return patiently(client, groups, REPLICAS);
}
