import type { Address } from "../types/transport.js";
import { exposureOf, hasCredentials } from "./exposure.js";
import { defaultPolicy, parseAllow } from "./host-policy.js";
import { parseNatMap, type Translation } from "./nat-map.js";
import { type Defaults, hasLogin, type Node } from "./nodes.js";
import { isIp, nameOf, parseHostPort } from "./url.js";
import { show } from "./validate.js";

/**
 * Finds the server that was announced as `host:port`. Throws an Error if that server must not be connected to. It
 * calls functions of the application.
 */
export type Locate = (announced: string) => Address;

/** Who announces servers: the name of the option, and the subject of a sentence. */
export type Source = { readonly option: string; readonly names: string };

/** The options about servers that are only announced, checked. */
export interface Announcing {
  readonly translation: Translation;
  /** The servers that the application has named are `seeds`; a server that is only announced is like `like`. */
  readonly locator: (seeds: readonly Node[], like: Node, defaults: Defaults) => Locate;
}

/** Checks the options about servers that are only announced. */
export function parseAnnouncing(
  source: Source,
  options: { readonly natMap?: unknown; readonly allow?: unknown },
): Announcing {
  const translation = parseNatMap(`${source.option}.natMap`, options.natMap);
  const allow = parseAllow(`${source.option}.allow`, options.allow);
  return {
    translation,
    locator: (seeds, like, defaults) => locator(source, translation, allow, seeds, like, defaults),
  };
}

/** A server that was only announced gets no more than those in the options: the same TLS, and a password as seldom. */
function locator(
  source: Source,
  translation: Translation,
  allow: ReturnType<typeof parseAllow>,
  seeds: readonly Node[],
  like: Node,
  defaults: Defaults,
): Locate {
  const { transport, address: pattern } = like;
  const { allowPlaintextAuth } = defaults;
  const login = hasLogin(like, defaults);
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
    if (named === undefined) throw new Error(`${source.names} ${show(announced)}, which is no address`);
    const { host, port } = translation.reach(named);
    const isByName = pattern.tls && isIp(host) && servername !== undefined;
    const tlsOptions = isByName ? { ...pattern.tlsOptions, servername } : pattern.tlsOptions;
    const address = { ...pattern, host, port, tlsOptions };
    if (!isTrusted(address)) throw new Error(refusalOf(source, address, allow !== undefined));
    const problem =
      transport.refuses?.(address) ??
      (allowPlaintextAuth ? undefined : exposureOf(address, transport, login));
    if (problem !== undefined) throw new Error(problem);
    return address;
  };
}

/** What errors call a server that was announced. */
export function nameOfAnnounced(announced: string): string {
  const named = parseHostPort(announced);
  return named === undefined ? show(announced) : nameOf(named);
}

function refusalOf({ option, names }: Source, address: Address, isByOption: boolean): string {
  const reason = isByOption
    ? `${option}.allow does not allow it`
    : `nothing in the options vouches for that host; if it is yours, add it to ${option}.allow`;
  return `refusing to connect to ${nameOf(address)}, which ${names}: ${reason}`;
}
