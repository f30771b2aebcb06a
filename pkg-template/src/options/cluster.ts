import type { ClusterOptions } from "../types/cluster.js";
import type { Transport } from "../types/transport.js";
import type { ClientOptions } from "../types/types.js";
import { type Locate, locator } from "./announced.js";
import { parseAllow } from "./host-policy.js";
import { parseNatMap } from "./nat-map.js";
import { type Node, parseDefaults, parseNode } from "./nodes.js";
import { parseTls, uselessTls } from "./tls.js";
import { parseHostPort, seedsOf } from "./url.js";
import { check, kindOf, optionsOf } from "./validate.js";

/** What a client needs to know of its cluster, beside the seeds. */
export interface Cluster {
  /** The seeds' addresses as the cluster announces them, `host:port`, one per line. */
  readonly addresses: string;
  /** Whether wake-ups are published on shard channels. */
  readonly sharded: boolean;
  readonly locate: Locate;
}

const OPTIONS = new Set<string>([
  "seeds",
  "natMap",
  "allow",
  "tls",
  "sharded",
] satisfies (keyof ClusterOptions)[]);

/**
 * Checks the options of a cluster. Undefined if the options name none; without `cluster` if the URL of a seed is not set.
 * `sockets` are the runtime's own, if it has any.
 */
export function parseCluster(
  options: ClientOptions,
  sockets: Transport | undefined,
): { readonly nodes: readonly Node[]; readonly cluster: Cluster | undefined } | undefined {
  const { url, cluster } = options;
  const listed = typeof url === "string" ? seedsOf(url) : undefined;
  if (cluster === undefined && listed === undefined) return undefined;
  const isShort =
    listed !== undefined || typeof cluster !== "object" || cluster === null || Array.isArray(cluster);
  const name = isShort ? "cluster" : "cluster.seeds";
  const { seeds, natMap, allow, tls, sharded } = isShort
    ? { seeds: listed ?? cluster }
    : optionsOf<ClusterOptions>("cluster", cluster, OPTIONS);
  const defaults = parseDefaults(options, sockets);
  const ownTls = parseTls(tls, "cluster.tls");
  const all = { ...defaults, tls: ownTls ?? defaults.tls };
  refuseLeading(all.transport);
  const nameAt = (index: number) => (listed === undefined ? `${name}[${index}]` : "url");
  if (!Array.isArray(seeds)) throw new TypeError(`${name} must be an array of URLs; got ${kindOf(seeds)}`);
  const nodes = Array.from(seeds as unknown[], (seed, index) =>
    parseNode(seed === undefined ? seed : check(nameAt(index), seed, "string"), nameAt(index), all),
  );
  const [first] = nodes;
  if (first === undefined) throw new TypeError(`${name} must name at least one server; got an empty array`);
  const translation = parseNatMap(natMap);
  const isTrusted = parseAllow(allow);
  const isSharded = check("cluster.sharded", sharded, "boolean", false);
  if (nodes.some(({ missing }) => missing !== undefined)) return { nodes, cluster: undefined };

  if (all.tls !== undefined && !first.address.tls)
    throw uselessTls(ownTls === undefined ? "tls" : "cluster.tls");
  // As servers write it: an IPv6 host has no brackets.
  const addresses = nodes.map(({ address }) => {
    const { host, port } = translation.announced(address);
    return `${host}:${port}`;
  });
  nodes.forEach((node, index) => {
    const refuse = (problem: string) => new TypeError(`${nameAt(index)} ${problem}`);
    // A unix socket leads to one server only; and an IPv6 host may not have a zone.
    if (parseHostPort(addresses[index] ?? "") === undefined)
      throw refuse("must have a host and a port by which a cluster can announce a server");
    if (commonOf(node) !== commonOf(first))
      throw refuse(`must have the same user, password, database and TLS as ${nameAt(0)}`);
    const other = addresses.findIndex((each) => each.toLowerCase() === addresses[index]?.toLowerCase());
    if (other < index) throw refuse(`is the same server as ${nameAt(other)} (${node.name})`);
  });
  const locate = locator(nodes, first, translation, isTrusted, all);
  return { nodes, cluster: { addresses: addresses.join("\n"), sharded: isSharded, locate } };
}

/** Such a transport cannot lead to the servers that a cluster names. */
function refuseLeading(transport: Transport | undefined): void {
  if (transport === undefined || (transport.carrier !== "commands" && transport.name === undefined)) return;
  throw new TypeError(
    "cluster needs a transport to any address; a client behind fromCommand follows redirections itself: leave cluster out",
  );
}

/** What all seeds have in common. */
function commonOf({ user, password, database, address }: Node): string {
  return JSON.stringify([user, password, database, address.tls]);
}
