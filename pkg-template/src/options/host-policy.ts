import type { Address } from "../types/transport.js";
import { askApplication } from "./nat-map.js";
import { isIp, isLocal } from "./url.js";
import { show } from "./validate.js";

/** Whether a server may be connected to that was only announced. Throws what the application's function throws. */
export type Policy = (address: Address) => boolean;

const HOST = /^[\w.-]+$|^[0-9a-f:.]*:[0-9a-f:.]*$/i;
/** The networks of RFC 1918 and RFC 4193. */
const PRIVATE = /^(::ffff:)?(10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)|^f[cd][0-9a-f]{2}:/;

/** Checks the option `allow`, which errors call `name`; undefined if it is not given. */
export function parseAllow(name: string, given: unknown): Policy | undefined {
  if (given === undefined) return undefined;
  if (typeof given === "function") return byFunction(name, given as (host: string, port: number) => unknown);
  if (Array.isArray(given) && given.every((host) => typeof host === "string" && HOST.test(host)))
    return isAmong(given);
  throw new TypeError(`${name} must be a list of hosts, without ports, or a function`);
}

/** What is known of a deployment without the application's word. */
export interface Trust {
  /** The hosts that the application has named. */
  readonly hosts: readonly string[];
  /** The seeds among them. */
  readonly seeds: readonly string[];
  readonly hasCredentials: boolean;
  readonly allowPlaintextAuth: boolean;
}

/** The policy without `allow`. A redirect may come from anybody who has got hold of one server, or of a name. */
export function defaultPolicy({ hosts, seeds, hasCredentials, allowPlaintextAuth }: Trust): Policy {
  const isNamed = isAmong(hosts);
  const isLoopback = seeds.some((host) => isLocal({ host, path: null }));
  const domains = seeds.filter((host) => !isIp(host)).flatMap(parentOf);
  return (address) => {
    const { tls, tlsOptions } = address;
    const host = normal(address.host);
    if (isNamed(address) || (isLoopback && isLocal(address))) return true;
    if (!isIp(host)) return domains.some((domain) => host.endsWith(domain));
    const isVerified = tls && tlsOptions.servername !== undefined;
    return isVerified || !hasCredentials || (allowPlaintextAuth && PRIVATE.test(host));
  };
}

function isAmong(hosts: readonly string[]): Policy {
  const names = new Set(hosts.map(normal));
  return ({ host }) => names.has(normal(host));
}

function byFunction(name: string, allow: (host: string, port: number) => unknown): Policy {
  return ({ host, port }) => {
    const allowed = askApplication(name, () => allow(host, port));
    // A promise would be truthy.
    if (typeof allowed === "boolean") return allowed;
    throw new TypeError(`${name} must return a boolean; got ${show(allowed)}`);
  };
}

/** `.example.com` for `redis.example.com`; a domain of one label is nobody's. */
function parentOf(host: string): string[] {
  const parent = normal(host).replace(/^[^.]*/, "");
  return /^\.[^.]+\.[^.]/.test(parent) ? [parent] : [];
}

/** Names of hosts have no case, and a dot at the end changes nothing. */
function normal(host: string): string {
  return host.toLowerCase().replace(/\.$/, "");
}
