import type { SentinelOptions } from "../types/sentinel.js";
import type { TlsOptions, Transport } from "../types/transport.js";
import type { ClientOptions } from "../types/types.js";
import { parseAnnouncing } from "./announced.js";
import { parseServers, refuseLeading, type Voter } from "./deployment.js";
import { type Defaults, type Node, parseDefaults, parseNode } from "./nodes.js";
import { severalOf } from "./several.js";
import { parseTls, uselessTls } from "./tls.js";
import { isLocal, nameOf } from "./url.js";
import { check, optionsOf, show, unset } from "./validate.js";

const OPTIONS = new Set<string>([
  "name",
  "sentinels",
  "url",
  "natMap",
  "allow",
  "tls",
] satisfies (keyof SentinelOptions)[]);

/** Where sentinels listen by default. */
const PORT = 26379;

/**
 * Checks the options of sentinels; undefined if they name none. `sockets` are the runtime's own, if it has any. Errors name
 * options with `at` before them. `otherTls` are the TLS settings where the options have none.
 */
export function parseSentinel(
  options: ClientOptions,
  sockets: Transport | undefined,
  at: string,
  otherTls: TlsOptions | undefined,
): Voter | undefined {
  const option = `${at}sentinel`;
  const several = severalOf(options.url, `${at}url`);
  const listed = several?.kind === "sentinel" ? several.options : undefined;
  const given = listed ?? options.sentinel;
  if (given === undefined) return undefined;
  if (typeof given === "string")
    throw new TypeError(`${option} must be an object with name and sentinels; got a string`);
  const { name, sentinels, url, tls, ...others } = optionsOf<SentinelOptions>(option, given, OPTIONS);
  const defaults = parseDefaults(options, sockets, at);
  const ownTls = parseTls(tls, `${option}.tls`);
  const givenTls = ownTls ?? defaults.tls;
  const all = { ...defaults, tls: givenTls ?? otherTls };
  refuseLeading(option, all.transport);
  const nameAt = (index: number) => (listed === undefined ? `${option}.sentinels[${index}]` : `${at}url`);
  const nodes = parseServers(`${option}.sentinels`, sentinels, nameAt, {
    ...all,
    // What logs in to the master never goes to a sentinel.
    asksCredentials: false,
    port: PORT,
  });
  const pattern = parseMaster(url, listed === undefined ? `${option}.url` : `${at}url`, nodes[0], all);
  const announcing = parseAnnouncing({ option, names: "a sentinel names" }, others);
  const missing = "name" in given ? unset(`${option}.name`, name) : undefined;
  if (missing !== undefined) return { nodes: [{ ...pattern, missing }], deployment: undefined };
  const master = check(`${option}.name`, name, "string");
  if (!/^[!-~]+$/.test(master))
    throw new TypeError(`${option}.name must be printable ASCII without spaces; got ${show(master)}`);
  const servers = [...nodes, pattern];
  if (servers.some((server) => server.missing !== undefined))
    return { nodes: servers, deployment: undefined };

  if (givenTls !== undefined && !(pattern.address.tls && nodes.every(isProtected)))
    throw uselessTls(ownTls === undefined ? `${at}tls` : `${option}.tls`);
  nodes.forEach((node, index) => {
    const other = nodes.findIndex((each) => each.name.toLowerCase() === node.name.toLowerCase());
    if (other < index)
      throw new TypeError(`${nameAt(index)} is the same sentinel as ${nameAt(other)} (${node.name})`);
    if (node.database !== 0)
      throw new TypeError(`${nameAt(index)}: sentinels have no databases; remove the number from the URL`);
  });
  const trusted = announcing.locator(nodes, pattern, all);
  const locate = (announced: string) => {
    const address = trusted(announced);
    // One that names itself, or another one, would get the master's password.
    if (nodes.some((node) => nameOf(node.address).toLowerCase() === nameOf(address).toLowerCase()))
      throw new Error(`a sentinel names ${nameOf(address)}, which is a sentinel and no master`);
    return address;
  };
  return { nodes, deployment: { kind: "sentinel", master, pattern, locate } };
}

/** What a master is like: its URL has no host. */
function parseMaster(given: unknown, name: string, sentinel: Node, defaults: Defaults): Node {
  const url = check(name, given, "string", sentinel.address.tls ? "rediss://" : "redis://");
  const [match, login, path] = /^(\w+:\/\/(?:[^/?#]*@)?)(\/.*)?$/s.exec(url) ?? [];
  if (url !== "" && match === undefined)
    throw new TypeError(
      `${name} must be a URL without a host, such as redis://user:password@/0: the sentinels name the master`,
    );
  // Where a password may go is checked for each server that the sentinels name.
  return parseNode(url && `${login}localhost${path ?? ""}`, name, defaults);
}

const isProtected = ({ address }: Node) => address.tls || isLocal(address);
