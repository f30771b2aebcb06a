import type { TlsOptions, Transport } from "../types/transport.js";
import type { ClientOptions, NodeOptions } from "../types/types.js";
import { exposureOf } from "./exposure.js";
import { parseTls, uselessTls } from "./tls.js";
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

export const NODE_OPTIONS = [
  "url",
  "tls",
  "transport",
  "cluster",
  "sentinel",
] as const satisfies (keyof NodeOptions)[];
/** The options of each of `nodes`. */
export const KNOWN = new Set<string>(NODE_OPTIONS);

/** The defaults for all nodes. */
export interface Defaults {
  readonly tls: TlsOptions | undefined;
  readonly transport: Transport | undefined;
  readonly sockets: Transport | undefined;
  readonly allowPlaintextAuth: boolean;
  /** Whether the application is asked for credentials at each connect. */
  readonly asksCredentials: boolean;
  /** The port of a URL that names none. */
  readonly port: number;
}

/** Checks the options that are the defaults for all nodes; `sockets` are the runtime's own, if it has any. */
export function parseDefaults(options: ClientOptions, sockets: Transport | undefined, at = ""): Defaults {
  return {
    tls: parseTls(options.tls, `${at}tls`),
    transport: parseTransport(options.transport, `${at}transport`),
    sockets,
    allowPlaintextAuth: check("allowPlaintextAuth", options.allowPlaintextAuth, "boolean", false),
    asksCredentials: options.credentials !== undefined,
    port: 6379,
  };
}

/** An application that sets TLS options must not end up without TLS because of a missing "s" in the URL. */
export function refuseUselessTls(nodes: readonly Node[], { tls }: Defaults): void {
  const useful =
    nodes.some(({ missing }) => missing !== undefined) ||
    (nodes.some(({ address }) => address.tls) &&
      nodes.every(({ address }) => address.tls || isLocal(address)));
  if (tls !== undefined && !useful) throw uselessTls("tls");
}

/** Equal for nodes that are the same server, as far as their options say. */
export function identityOf({ address, name, transport }: Node): unknown {
  // A transport of single commands leads to its client's server, whatever the URL; so does a transport with a name.
  const byTransport =
    transport.carrier === "commands" || transport.name !== undefined || address === localEndpoint.address;
  return byTransport ? transport : (address.path ?? name.toLowerCase());
}

/** Checks one server; `name` is the option's name in errors, `""` for the client's own options. */
export function parseNode(given: unknown, name: string, defaults: Defaults): Node {
  const option = (key: keyof NodeOptions) => (name === "" ? key : `${name}.${key}`);
  const short = typeof given === "string" || given === undefined;
  const node: NodeOptions = short ? { url: given as string } : optionsOf<NodeOptions>(name, given, KNOWN);
  const own = parseTransport(node.transport, option("transport")) ?? defaults.transport;
  const isListed = short && name !== "";
  const urlName = isListed ? name : option("url");
  const missing = own?.missing ?? missingIn(node, urlName, own !== undefined && !isListed);
  const endpoint =
    missing === undefined ? parseEndpoint(node.url, urlName, own, defaults.port) : localEndpoint;
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
  if (problem !== undefined) throw new TypeError(`${urlName}: ${problem}`);
  refuseLogin(endpoint, transport, urlName);
  if (defaults.asksCredentials && transport.carrier === "commands") {
    throw new TypeError("credentials belong to the client behind the transport; remove the option");
  }
  if (!defaults.allowPlaintextAuth) {
    const exposure = exposureOf(address, transport, hasLogin(endpoint, defaults));
    if (exposure !== undefined) throw new TypeError(`${urlName}: ${exposure}`);
  }
  return { ...endpoint, address, name: labelOf(endpoint, transport, name), transport, missing };
}

/** Whether connections to a server log in. */
export function hasLogin({ user, password }: Endpoint, { asksCredentials }: Defaults): boolean {
  return asksCredentials || user + password !== "";
}

/** What is not set, if anything. An option that is not even named is a mistake in the program, and is refused at once. */
function missingIn(node: NodeOptions, name: string, isOptional: boolean): string | undefined {
  if (!("url" in node) || (isOptional && node.url === undefined)) return undefined;
  const problem = unset(name, node.url);
  return problem && `${problem} Expected the server's URL, such as "redis://127.0.0.1:6379"`;
}

function parseEndpoint(url: unknown, name: string, transport: Transport | undefined, port: number): Endpoint {
  if (url !== undefined) return parseUrl(check(name, url, "string"), name, port);
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
