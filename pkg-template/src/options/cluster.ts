import type { ClusterOptions } from "../types/cluster.js";
import type { TlsOptions, Transport } from "../types/transport.js";
import type { ClientOptions } from "../types/types.js";
import { parseAnnouncing } from "./announced.js";
import { parseServers, refuseLeading, type Voter } from "./deployment.js";
import { type Node, parseDefaults } from "./nodes.js";
import { severalOf } from "./several.js";
import { parseTls, uselessTls } from "./tls.js";
import { parseHostPort } from "./url.js";
import { check, optionsOf } from "./validate.js";

const OPTIONS = new Set<string>([
  "seeds",
  "natMap",
  "allow",
  "tls",
  "sharded",
] satisfies (keyof ClusterOptions)[]);

/**
 * Checks the options of a cluster; undefined if they name none. `sockets` are the runtime's own, if it has any. Errors name
 * options with `at` before them. `otherTls` are the TLS settings where the options have none.
 */
export function parseCluster(
  options: ClientOptions,
  sockets: Transport | undefined,
  at: string,
  otherTls: TlsOptions | undefined,
): Voter | undefined {
  const { url, cluster } = options;
  const option = `${at}cluster`;
  const several = severalOf(url, `${at}url`);
  const listed = several?.kind === "cluster" ? several.seeds : undefined;
  if (cluster === undefined && listed === undefined) return undefined;
  const isShort =
    listed !== undefined || typeof cluster !== "object" || cluster === null || Array.isArray(cluster);
  const name = isShort ? option : `${option}.seeds`;
  const { seeds, tls, sharded, ...others } = isShort
    ? { seeds: listed ?? cluster }
    : optionsOf<ClusterOptions>(option, cluster, OPTIONS);
  const defaults = parseDefaults(options, sockets, at);
  const ownTls = parseTls(tls, `${option}.tls`);
  const givenTls = ownTls ?? defaults.tls;
  const all = { ...defaults, tls: givenTls ?? otherTls };
  refuseLeading(option, all.transport);
  const nameAt = (index: number) => (listed === undefined ? `${name}[${index}]` : `${at}url`);
  const nodes = parseServers(name, seeds, nameAt, all);
  const [first] = nodes;
  const announcing = parseAnnouncing({ option, names: "the cluster names" }, others);
  const isSharded = check(`${option}.sharded`, sharded, "boolean", false);
  if (nodes.some(({ missing }) => missing !== undefined)) return { nodes, deployment: undefined };

  if (givenTls !== undefined && !first.address.tls)
    throw uselessTls(ownTls === undefined ? `${at}tls` : `${option}.tls`);
  // As servers write it: an IPv6 host has no brackets.
  const addresses = nodes.map(({ address }) => {
    const { host, port } = announcing.translation.announced(address);
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
  const locate = announcing.locator(nodes, first, all);
  return {
    nodes,
    deployment: {
      kind: "cluster",
      addresses: addresses.join("\n"),
      sharded: isSharded,
      pattern: first,
      locate,
    },
  };
}

/** What all seeds have in common. */
function commonOf({ user, password, database, address }: Node): string {
  return JSON.stringify([user, password, database, address.tls]);
}
