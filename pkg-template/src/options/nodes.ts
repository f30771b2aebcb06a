import type { Address, ClientOptions, NodeOptions, TlsOptions, Transport } from "../types/types.js";
import { type Endpoint, isLocal, localEndpoint, nameOf, parseUrl } from "./url.js";
import { check, kindOf, optionsOf, show } from "./validate.js";

/** One server, and how to get there. */
export interface Node extends Endpoint {
  /** What messages call it. */
  readonly name: string;
  readonly transport: Transport;
}

export const NODE_OPTIONS = ["url", "tls", "transport"] as const satisfies (keyof NodeOptions)[];
const KNOWN = new Set<string>(NODE_OPTIONS);
const TLS_OPTIONS = new Set<string>(["ca", "cert", "key", "servername"] satisfies (keyof TlsOptions)[]);

/** What holds for all nodes that do not say otherwise. */
interface Defaults {
  readonly tls: TlsOptions | undefined;
  readonly transport: Transport | undefined;
  readonly sockets: Transport | undefined;
  readonly allowPlaintextAuth: boolean;
}

/** Checks which servers a client is for. */
export function parseNodes(options: ClientOptions, sockets: Transport | undefined): Node[] {
  const defaults = {
    tls: parseTls(options.tls, "tls"),
    transport: parseTransport(options.transport, "transport"),
    sockets,
    allowPlaintextAuth: check("allowPlaintextAuth", options.allowPlaintextAuth, "boolean", false),
  };
  const { url, nodes } = options;
  if (nodes === undefined) return withTls([parseNode({ url }, "", defaults)], defaults);
  if (url !== undefined) throw new TypeError("url and nodes exclude each other; give one of them");
  if (!Array.isArray(nodes)) throw new TypeError(`nodes must be an array of URLs; got ${kindOf(nodes)}`);
  if (nodes.length === 0) throw new RangeError("nodes must name at least one server; got an empty array");
  const given = Array.from(nodes as unknown[]);
  const parsed = given.map((node, index) => parseNode(node ?? null, `nodes[${index}]`, defaults));
  refuseTwins(parsed);
  return withTls(parsed, defaults);
}

/** Whoever says how to verify the server must not be left without TLS for want of an s. */
function withTls(nodes: Node[], { tls }: Defaults): Node[] {
  const useful =
    nodes.some(({ address }) => address.tls) && nodes.every(({ address }) => address.tls || isLocal(address));
  if (tls === undefined || useful) return nodes;
  throw uselessTls("tls");
}

function uselessTls(name: string): TypeError {
  return new TypeError(`${name} is of use only with TLS; write rediss:// in the URL`);
}

/** One server twice would have two votes, and two clients could both have a majority. */
function refuseTwins(nodes: readonly Node[]): void {
  const seen = new Map<unknown, number>();
  nodes.forEach((node, index) => {
    const { address, name, transport } = node;
    // Single commands go wherever their client is connected to, whatever the URL says; so do transports with a name.
    const byTransport =
      transport.carrier === "commands" || transport.name !== undefined || address === localEndpoint.address;
    const same = byTransport ? transport : (address.path ?? name.toLowerCase());
    const other = seen.get(same);
    if (other !== undefined) {
      throw new RangeError(
        `nodes[${index}] is the same server as nodes[${other}] (${name}); all must be independent of each other`,
      );
    }
    seen.set(same, index);
  });
}

/** `name` is what errors call the option; `""` for the client's own. */
function parseNode(given: unknown, name: string, defaults: Defaults): Node {
  const option = (key: keyof NodeOptions) => (name === "" ? key : `${name}.${key}`);
  const short = typeof given === "string";
  const node = short ? { url: given } : optionsOf<NodeOptions>(name, given, KNOWN);
  const own = parseTransport(node.transport, option("transport")) ?? defaults.transport;
  const endpoint = parseEndpoint(node.url, short && name !== "" ? name : option("url"), own);
  const transport = own ?? defaults.sockets;
  if (transport === undefined) {
    throw new TypeError(
      `${option("transport")} is missing: this runtime has no TCP sockets; give fromWebSocket(...) or fromRest(...)`,
    );
  }
  const tls = parseTls(node.tls, option("tls"));
  if (tls !== undefined && !endpoint.address.tls) throw uselessTls(option("tls"));
  const tlsOptions = tls ?? (endpoint.address.tls ? defaults.tls : undefined);
  const address = tlsOptions === undefined ? endpoint.address : { ...endpoint.address, tlsOptions };
  const problem = transport.refuses?.(address);
  if (problem !== undefined) throw new TypeError(`${option("url")}: ${problem}`);
  refuseLogin(endpoint, transport, option("url"));
  if (!defaults.allowPlaintextAuth) refuseExposure(endpoint, transport, option("url"));
  return { ...endpoint, address, name: labelOf(endpoint, transport, name), transport };
}

function parseEndpoint(url: unknown, name: string, transport: Transport | undefined): Endpoint {
  if (url !== undefined) return parseUrl(check(name, url, "string"), name);
  if (transport !== undefined) return localEndpoint;
  throw new TypeError(`${name} is missing; give the server's, such as "redis://127.0.0.1:6379"`);
}

function labelOf({ address }: Endpoint, transport: Transport, name: string): string {
  if (address !== localEndpoint.address) return nameOf(address);
  if (transport.name !== undefined) return transport.name;
  // A stream has to lead somewhere; commands go wherever their client is connected to.
  return transport.carrier === "commands" ? name || "the server" : nameOf(address);
}

/** Whoever carries single commands has logged in; it would be a surprise if what is given here were not used. */
function refuseLogin({ user, password, database }: Endpoint, transport: Transport, name: string): void {
  if (transport.carrier !== "commands" || (user + password === "" && database === 0)) return;
  throw new TypeError(
    `${name}: user, password and database are those of the client behind the transport; leave them out here`,
  );
}

function valueFor<T extends boolean | undefined>(address: Address, value: T | ((address: Address) => T)): T {
  return typeof value === "function" ? value(address) : value;
}

function refuseExposure({ address, user, password }: Endpoint, transport: Transport, name: string): void {
  const { secure, credentials = transport.carrier === "commands" } = transport;
  if (valueFor(address, secure) ?? (address.tls || isLocal(address))) return;
  // Whoever asks for TLS must not be left without.
  if (!valueFor(address, credentials) && user + password === "" && !address.tls) return;
  const remedy =
    secure === undefined ? "use TLS (rediss://)" : "give the transport an https:// or wss:// URL";
  throw new TypeError(
    `${name}: a password or token would be sent without encryption, for everybody on the way to read; ${remedy}, or set allowPlaintextAuth: true where the network is trusted`,
  );
}

function parseTransport(value: unknown, name: string): Transport | undefined {
  if (value === undefined) return undefined;
  const { connect, carrier = "stream" } = (value ?? {}) as Partial<Transport>;
  if (typeof connect !== "function") {
    throw new TypeError(`${name} must be an object with a method connect; got ${kindOf(value)}`);
  }
  if (carrier !== "stream" && carrier !== "commands") {
    throw new TypeError(`${name}.carrier must be "stream" or "commands"; got ${show(carrier)}`);
  }
  return value as Transport;
}

function parseTls(value: unknown, name: string): TlsOptions | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") throw new TypeError(`${name}: the options must be an object; got a text`);
  const { ca, ...texts } = optionsOf<TlsOptions>(name, value, TLS_OPTIONS);
  const authorities = ca === undefined ? [] : [ca].flat();
  // There are runtimes that take none for the default ones.
  if (ca !== undefined && authorities.length === 0) {
    throw new TypeError(
      `${name}.ca must have at least one certificate; leave it out for the runtime's authorities`,
    );
  }
  for (const each of authorities) pem(`${name}.ca`, each);
  if (texts.cert !== undefined) pem(`${name}.cert`, texts.cert);
  if (texts.key !== undefined) pem(`${name}.key`, texts.key);
  if (texts.servername !== undefined) serverName(`${name}.servername`, texts.servername);
  if ((texts.cert === undefined) !== (texts.key === undefined)) {
    throw new TypeError(`${name}: cert and key belong together; give both or neither`);
  }
  return ca === undefined ? texts : { ...texts, ca: authorities as string[] };
}

/** An empty one would switch the check of the name off in some runtimes, and TLS has no addresses for names. */
function serverName(name: string, value: unknown): void {
  const given = check(name, value, "string");
  if (/[a-z]/i.test(given) && /^[a-z0-9._-]+$/i.test(given)) return;
  throw new TypeError(`${name} must be a host name, and no IP address; got ${show(given)}`);
}

/** What is refused is not repeated: it may be a key. */
function pem(name: string, value: unknown): void {
  if (typeof value === "string" && value.includes("-----BEGIN ")) return;
  throw new TypeError(
    `${name} must be text in PEM, from "-----BEGIN ..." on; got ${typeof value === "string" ? "another text" : show(value)}`,
  );
}
