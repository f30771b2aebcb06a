import type { Address } from "../types/transport.js";
import { exposureOf, hasCredentials } from "./exposure.js";
import { defaultPolicy, type Policy } from "./host-policy.js";
import type { Translation } from "./nat-map.js";
import { type Defaults, hasLogin, type Node } from "./nodes.js";
import { isIp, nameOf, parseHostPort } from "./url.js";
import { show } from "./validate.js";

/**
 * Finds the server that a cluster has announced as `host:port`. Throws an Error if that server must not be connected to. It
 * calls functions of the application.
 */
export type Locate = (announced: string) => Address;

/** A server that only its cluster has named gets no more than a seed does: the same TLS, and a password as seldom. */
export function locator(
  seeds: readonly Node[],
  first: Node,
  translation: Translation,
  allow: Policy | undefined,
  defaults: Defaults,
): Locate {
  const { transport, address: pattern } = first;
  const { allowPlaintextAuth } = defaults;
  const login = hasLogin(first, defaults);
  const hosts = seeds.map(({ address }) => address.host);
  // A certificate seldom names a server by its IP address, and nobody else has one with the seed's name.
  const servername = pattern.tlsOptions.servername ?? hosts.find((host) => !isIp(host));
  const isTrusted =
    allow ??
    defaultPolicy({
      hosts: [...hosts, ...translation.hosts],
      seeds: hosts,
      hasCredentials: hasCredentials(pattern, transport, login),
      allowPlaintextAuth,
    });
  return (announced) => {
    const named = parseHostPort(announced);
    if (named === undefined) throw new Error(`the cluster names ${show(announced)}, which is no address`);
    const { host, port } = translation.reach(named);
    const isByName = pattern.tls && isIp(host) && servername !== undefined;
    const tlsOptions = isByName ? { ...pattern.tlsOptions, servername } : pattern.tlsOptions;
    const address = { ...pattern, host, port, tlsOptions };
    if (!isTrusted(address)) throw new Error(refusalOf(address, allow !== undefined));
    const problem =
      transport.refuses?.(address) ??
      (allowPlaintextAuth ? undefined : exposureOf(address, transport, login));
    if (problem !== undefined) throw new Error(problem);
    return address;
  };
}

/** What errors call a server that a cluster has announced. */
export function nameOfAnnounced(announced: string): string {
  const named = parseHostPort(announced);
  return named === undefined ? show(announced) : nameOf(named);
}

function refusalOf(address: Address, isByOption: boolean): string {
  const reason = isByOption
    ? "cluster.allow does not allow it"
    : "no seed vouches for that host; if it belongs to the cluster, add it to cluster.allow";
  return `refusing to connect to ${nameOf(address)}, which the cluster names: ${reason}`;
}
