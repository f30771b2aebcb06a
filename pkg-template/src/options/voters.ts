import type { TlsOptions, Transport } from "../types/transport.js";
import type { ClientOptions, NodeOptions } from "../types/types.js";
import { parseCluster } from "./cluster.js";
import type { Voter } from "./deployment.js";
import { type Defaults, identityOf, KNOWN, parseDefaults, parseNode, refuseUselessTls } from "./nodes.js";
import { parseSentinel } from "./sentinel.js";
import { severalOf } from "./several.js";
import { kindOf, optionsOf, refuseSeveral } from "./validate.js";

/**
 * Checks the options of a cluster, or of a master behind sentinels; undefined if they name none. `sockets` are the runtime's
 * own, if it has any. Errors name options with `at` before them. `otherTls` are the TLS settings where the options have none.
 */
export function parseGroup(
  options: ClientOptions,
  sockets: Transport | undefined,
  at = "",
  otherTls?: TlsOptions,
): Voter | undefined {
  return parseCluster(options, sockets, at, otherTls) ?? parseSentinel(options, sockets, at, otherTls);
}

/** Checks the options that name a client's voters, each by itself. */
export function parseVoters(options: ClientOptions, sockets: Transport | undefined): Voter[] {
  const defaults = parseDefaults(options, sockets);
  const { url, nodes } = options;
  const single = (given: unknown, name: string): Voter => ({
    nodes: [parseNode(given, name, defaults)],
    deployment: undefined,
  });
  if (nodes === undefined) {
    const voter = single("url" in options ? { url } : {}, "");
    refuseUselessTls(voter.nodes, defaults);
    return [voter];
  }
  if (!Array.isArray(nodes)) throw new TypeError(`nodes must be an array of URLs; got ${kindOf(nodes)}`);
  if (nodes.length === 0) throw new RangeError("nodes must name at least one server; got an empty array");
  const voters = Array.from(nodes as unknown[], (given, index) => {
    const name = `nodes[${index}]`;
    return parseListed(given, name, options, sockets, defaults) ?? single(given, name);
  });
  refuseTwins(voters);
  refuseUselessTls(
    voters.flatMap((voter) => voter.nodes),
    defaults,
  );
  return voters;
}

/** A group among `nodes`; undefined for a server. What it leaves out is as in the client's options. */
function parseListed(
  given: unknown,
  name: string,
  options: ClientOptions,
  sockets: Transport | undefined,
  defaults: Defaults,
): Voter | undefined {
  if (given === undefined) return undefined;
  const node = typeof given === "string" ? { url: given } : optionsOf<NodeOptions>(name, given, KNOWN);
  refuseSeveral(node, ["url", "cluster", "sentinel"], `${name}: `);
  const { url, cluster, sentinel, tls, transport } = node;
  if (cluster === undefined && sentinel === undefined && severalOf(url, `${name}.url`) === undefined)
    return undefined;
  const own = { ...options, url, cluster, sentinel, tls, transport: transport ?? options.transport };
  return parseGroup(own, sockets, `${name}.`, defaults.tls);
}

/** A server that is listed twice would have two votes, and two clients could each win a majority. */
function refuseTwins(voters: readonly Voter[]): void {
  const seen = new Map<unknown, number>();
  voters.forEach(({ nodes, deployment }, index) => {
    if (nodes.some(({ missing }) => missing !== undefined)) return;
    for (const node of nodes) {
      const identity = identityOf(node);
      // The same sentinels may know several masters.
      const same = deployment?.kind === "sentinel" ? `${deployment.master} ${identity}` : identity;
      const other = seen.get(same) ?? index;
      if (other !== index)
        throw new RangeError(
          `nodes[${index}] is the same server as nodes[${other}] (${node.name}); all servers must be independent`,
        );
      seen.set(same, index);
    }
  });
}
