// The servers that a run can have, by name. Each topology is a folder with one value:
//
//  name      as in TOPOLOGY
//  lanes     the URL of a module that exports LANES, which locks each client contends for, and LONGEST_LEASE, in ms
//  longestLease  the latter
//  servers   what the plan has to know of each server: { keeps } is whether its data survives a crash
//  kinds     faults of servers that come at random, as in plan.js: how often, and their details
//  rhythms   faults that come at a fixed pace: { kind, first, every (ms), details }
//  open(scope, { checker, note, wire, seed })  starts the servers. Resolves to
//    servers    [{ redis, ... }]: a proxy per client leads to each, on the port that it has for good
//    options(proxies, client)  what createClient gets, by the lanes' groups, as JSON; `proxies` in the order of `servers`
//    actions    by kind of fault: (fault, lasts) => promise; `lasts()` resolves when the fault's time is over. An action that resolves
//               with false found nothing to do, and is not counted
//    inspector  { look(), left() }: complains to the checker about what is on the servers; lists the locks there
//    excuse(first, second, key)  why two believers are nobody's fault, or undefined; `second` is missing where one lost its lock
//    report()   what happened, as { what: how often }
import { cluster } from "./cluster/topology.js";
import { sentinel } from "./sentinel/topology.js";
import { single } from "./single/topology.js";

const TOPOLOGIES = [single, cluster, sentinel];

/** Their names. */
export const names = TOPOLOGIES.map((topology) => topology.name);

/** The topology of that name. */
export function topologyOf(name) {
  const found = TOPOLOGIES.find((topology) => topology.name === name);
  if (found) return found;
  throw new Error(`there is no topology "${name}"; TOPOLOGY is one of: ${names.join(", ")}`);
}
