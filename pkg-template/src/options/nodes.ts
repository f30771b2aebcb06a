import type { Address, TlsOptions, Transport } from "../types/transport.js";
import type { ClientOptions, NodeOptions } from "../types/types.js";
import { type Endpoint, isLocal, localEndpoint, nameOf, parseUrl } from "./url.js";
import { check, kindOf, optionsOf, show, unset } from "./validate.js";

/** One server, and the transport that reaches it. */
export interface Node extends Endpoint {
  /** Its name in messages. */
  readonly name: string;
  readonly transport: Transport;
  /** Why it cannot be reached: its URL, or something of its transport's, is not set. Every request is refused with this text. */
  readonly missing: string | undefined;
}

export const NODE_OPTIONS = ["url", "tls", "transport"] as const satisfies (keyof NodeOptions)[];
const KNOWN = new Set<string>(NODE_OPTIONS);
const TLS_OPTIONS = new Set<string>(["ca", "cert", "key", "servername"] satisfies (keyof TlsOptions)[]);

/** The defaults for all nodes. */
interface Defaults {
  readonly tls: TlsOptions | undefined;
  readonly transport: Transport | undefined;
  readonly sockets: Transport | undefined;
  readonly allowPlaintextAuth: boolean;
  /** Whether the application is asked for credentials at each connect. */
  readonly asksCredentials: boolean;
}

/** Checks the options that name a client's servers. */
export function parseNodes(options: ClientOptions, sockets: Transport | undefined): Node[] {
  const defaults = {
    tls: parseTls(options.tls, "tls"),
    transport: parseTransport(options.transport, "transport"),
    sockets,
    allowPlaintextAuth: check("allowPlaintextAuth", options.allowPlaintextAuth, "boolean", false),
    asksCredentials: options.credentials !== undefined,
  };
  const { url, nodes } = options;
  if (nodes === undefined) {
    const node = "url" in options ? { url } : {};
    return withTls([parseNode(node, "", defaults)], defaults);
  }
  if (url !== undefined) throw new TypeError("url and nodes are mutually exclusive; give one of them");
  if (!Array.isArray(nodes)) throw new TypeError(`nodes must be an array of URLs; got ${kindOf(nodes)}`);
  if (nodes.length === 0) throw new RangeError("nodes must name at least one server; got an empty array");
  const given = Array.from(nodes as unknown[]);
  const parsed = given.map((node, index) => parseNode(node, `nodes[${index}]`, defaults));
  refuseTwins(parsed);
  return withTls(parsed, defaults);
}

/** An application that sets TLS options must not end up without TLS because of a missing "s" in the URL. */
function withTls(nodes: Node[], { tls }: Defaults): Node[] {
  const useful =
    nodes.some(({ missing }) => missing !== undefined) ||
    (nodes.some(({ address }) => address.tls) &&
      nodes.every(({ address }) => address.tls || isLocal(address)));
  if (tls === undefined || useful) return nodes;
  throw uselessTls("tls");
}

function uselessTls(name: string): TypeError {
  return new TypeError(`${name} has no effect without TLS; use a rediss:// URL`);
}

/** A server that is listed twice would have two votes, and two clients could each win a majority. */
function refuseTwins(nodes: readonly Node[]): void {
  const seen = new Map<unknown, number>();
  nodes.forEach((node, index) => {
    const { address, name, transport, missing } = node;
    if (missing !== undefined) return;
    // A transport of single commands leads to its client's server, whatever the URL; so does a transport with a name.
    const byTransport =
      transport.carrier === "commands" || transport.name !== undefined || address === localEndpoint.address;
    const same = byTransport ? transport : (address.path ?? name.toLowerCase());
    const other = seen.get(same);
    if (other !== undefined) {
      throw new RangeError(
        `nodes[${index}] is the same server as nodes[${other}] (${name}); all servers must be independent`,
      );
    }
    seen.set(same, index);
  });
}

/** `name` is the option's name in errors; `""` for the client's own options. */
function parseNode(given: unknown, name: string, defaults: Defaults): Node {
  const option = (key: keyof NodeOptions) => (name === "" ? key : `${name}.${key}`);
  const short = typeof given === "string" || given === undefined;
  const node: NodeOptions = short ? { url: given as string } : optionsOf<NodeOptions>(name, given, KNOWN);
  const own = parseTransport(node.transport, option("transport")) ?? defaults.transport;
  const urlName = short && name !== "" ? name : option("url");
  const missing = missingIn(node, urlName, own);
  const endpoint = missing === undefined ? parseEndpoint(node.url, urlName, own) : localEndpoint;
  const transport = own ?? defaults.sockets;
  if (transport === undefined) {
    throw new TypeError(
      `${option("transport")} is missing: this runtime has no TCP sockets; use fromWebSocket(...) or fromRest(...)`,
    );
  }
  const tls = parseTls(node.tls, option("tls"));
  if (missing !== undefined) return { ...endpoint, name: urlName, transport, missing };
  if (tls !== undefined && !endpoint.address.tls) throw uselessTls(option("tls"));
  const tlsOptions = tls ?? (endpoint.address.tls ? defaults.tls : undefined);
  const address = tlsOptions === undefined ? endpoint.address : { ...endpoint.address, tlsOptions };
  const problem = transport.refuses?.(address);
  if (problem !== undefined) throw new TypeError(`${option("url")}: ${problem}`);
  refuseLogin(endpoint, transport, option("url"));
  if (defaults.asksCredentials && transport.carrier === "commands") {
    throw new TypeError("credentials belong to the client behind the transport; remove the option");
  }
  if (!defaults.allowPlaintextAuth) {
    refuseExposure(endpoint, defaults.asksCredentials, transport, option("url"));
  }
  return { ...endpoint, address, name: labelOf(endpoint, transport, name), transport, missing };
}

/** What is not set, if anything. An option that is not even named is a mistake in the program, and is refused at once. */
function missingIn(node: NodeOptions, name: string, own: Transport | undefined): string | undefined {
  if (own?.missing !== undefined) return own.missing;
  const isOptional = own !== undefined && node.url === undefined;
  if (isOptional || !("url" in node)) return undefined;
  const problem = unset(name, node.url);
  return problem && `${problem} Expected the server's URL, such as "redis://127.0.0.1:6379"`;
}

function parseEndpoint(url: unknown, name: string, transport: Transport | undefined): Endpoint {
  if (url !== undefined) return parseUrl(check(name, url, "string"), name);
  if (transport !== undefined) return localEndpoint;
  throw new TypeError(`${name} is missing; give the server's URL, such as "redis://127.0.0.1:6379"`);
}

function labelOf({ address }: Endpoint, transport: Transport, name: string): string {
  if (address !== localEndpoint.address) return nameOf(address);
  if (transport.name !== undefined) return transport.name;
  // A stream leads to its address; single commands go to whatever server their client is connected to.
  return transport.carrier === "commands" ? name || "the server" : nameOf(address);
}

/** The client behind a transport of single commands has already logged in, so a login here would be silently ignored. */
function refuseLogin({ user, password, database }: Endpoint, transport: Transport, name: string): void {
  if (transport.carrier !== "commands" || (user + password === "" && database === 0)) return;
  throw new TypeError(
    `${name}: user, password and database belong to the client behind the transport; remove them from the URL`,
  );
}

function valueFor<T extends boolean | undefined>(address: Address, value: T | ((address: Address) => T)): T {
  return typeof value === "function" ? value(address) : value;
}

function refuseExposure(
  { address, user, password }: Endpoint,
  asksCredentials: boolean,
  transport: Transport,
  name: string,
): void {
  const { secure, credentials = transport.carrier === "commands" } = transport;
  if (valueFor(address, secure) ?? (address.tls || isLocal(address))) return;
  // A URL that asks for TLS must not be served without it.
  const hasLogin = asksCredentials || user + password !== "";
  if (!valueFor(address, credentials) && !hasLogin && !address.tls) return;
  const remedy =
    secure === undefined ? "use TLS (rediss://)" : "give the transport an https:// or wss:// URL";
  throw new TypeError(
    `${name}: refusing to send credentials in plaintext to a remote host; ${remedy}, or set allowPlaintextAuth: true if the network is trusted`,
  );
}

function parseTransport(value: unknown, name: string): Transport | undefined {
  if (value === undefined) return undefined;
  const { connect, carrier = "stream", independent } = (value ?? {}) as Partial<Transport>;
  if (typeof connect !== "function") {
    throw new TypeError(`${name} must be an object with a connect method; got ${kindOf(value)}`);
  }
  if (carrier !== "stream" && carrier !== "commands") {
    throw new TypeError(`${name}.carrier must be "stream" or "commands"; got ${show(carrier)}`);
  }
  check(`${name}.independent`, independent ?? false, "boolean");
  return value as Transport;
}

function parseTls(value: unknown, name: string): TlsOptions | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "string") throw new TypeError(`${name}: options must be an object; got a string`);
  const { ca, ...strings } = optionsOf<TlsOptions>(name, value, TLS_OPTIONS);
  const authorities = ca === undefined ? [] : [ca].flat();
  // Some runtimes treat an empty list as their default authorities.
  if (ca !== undefined && authorities.length === 0) {
    throw new TypeError(
      `${name}.ca must contain at least one certificate; omit it to use the runtime's authorities`,
    );
  }
  for (const each of authorities) pem(`${name}.ca`, each);
  if (strings.cert !== undefined) pem(`${name}.cert`, strings.cert);
  if (strings.key !== undefined) pem(`${name}.key`, strings.key);
  if (strings.servername !== undefined) serverName(`${name}.servername`, strings.servername);
  if ((strings.cert === undefined) !== (strings.key === undefined)) {
    throw new TypeError(`${name}: cert and key must be given together`);
  }
  return ca === undefined ? strings : { ...strings, ca: authorities as string[] };
}

/** An empty name would turn off the name check in some runtimes, and TLS does not allow an IP address as a server name. */
function serverName(name: string, value: unknown): void {
  const given = check(name, value, "string");
  if (/[a-z]/i.test(given) && /^[a-z0-9._-]+$/i.test(given)) return;
  throw new TypeError(`${name} must be a host name, not an IP address; got ${show(given)}`);
}

/** The value is never shown: it may be a private key. */
function pem(name: string, value: unknown): void {
  if (typeof value === "string" && value.includes("-----BEGIN ")) return;
  throw new TypeError(
    `${name} must be a PEM string ("-----BEGIN ..."); got ${typeof value === "string" ? "some other string" : show(value)}`,
  );
}
