// What is broken where replicas take over, and how long clients wait there.
import { CONFIRMED, UNCONFIRMED } from "./lanes.js";

/** How long most clients wait for an answer, ms: longer than a stopped primary is away, so that they hear what it says then. */
const PATIENT = 10_000;
/** One client in so many is not patient. */
const IMPATIENT = 3;

/** Faults at random, as in plan.js: each too short for a failover. `more(r)`: further details of each. */
export const kindsWith = (more = () => ({})) => ({
  "server stopped": [3, "server", (r) => ({ for: r.within(20, 300), ...more(r) })],
  "scripts forgotten": [4, "server", (r) => ({ for: 0, ...more(r) })],
  "connections killed": [4, "server", (r) => ({ for: 0, ...more(r) })],
  "key deleted": [1, "server", (r) => ({ which: r.within(0, 999), for: 0, ...more(r) })],
});

/** Failovers in a shard of so many at a fixed pace: { first, every } in ms of each kind. */
export function failovers(shards, { killed, planned, stopped }) {
  const shard = (r) => ({ shard: r.within(0, shards - 1) });
  return [
    { kind: "primary killed", ...killed, details: (r) => ({ ...shard(r), for: r.within(0, 1_000) }) },
    { kind: "planned failover", ...planned, details: shard },
    {
      kind: "primary stopped",
      ...stopped,
      // Mostly, clients are made to hear of its successor, while commands of theirs wait in its queues.
      details: (r) => ({ ...shard(r), for: r.within(0, 4_000), spread: r.chance(0.7) }),
    },
  ];
}

/** What createClient gets in a process, by the lanes' groups: these options; a primary has so many replicas. */
export function patiently(client, { unconfirmed, confirmed }, replicas) {
  const nodeTimeout = client % IMPATIENT === 0 ? {} : { nodeTimeout: PATIENT };
  // A missing replica keeps the connection busy for `nodeTimeout`, and each command behind it for once more.
  return { [UNCONFIRMED]: { ...unconfirmed, ...nodeTimeout }, [CONFIRMED]: { ...confirmed, replicas } };
}

/** The client's option that leads to proxies in place of the servers with these ports. */
export function natMapOf(ports, proxies) {
  const address = (port) => `127.0.0.1:${port}`;
  return Object.fromEntries(ports.map((port, at) => [address(port), address(proxies[at].port)]));
}
