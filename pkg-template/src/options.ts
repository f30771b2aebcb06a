import { type Endpoint, localEndpoint, parseUrl } from "./address.js";
import { check, duration, integerWithin, numberWithin, refuseUnknown, show } from "./check.js";
import { systemClock } from "./clock.js";
import { concatenate, encode } from "./text.js";
import type { AcquireOptions, ClientOptions, Clock, Transport } from "./types.js";

const SHORTEST_TTL = 100;

/** A client's options, checked and complete. */
export interface Settings {
  readonly endpoint: Endpoint;
  readonly transport: Transport;
  readonly prefix: string;
  readonly ttl: number;
  readonly wait: number;
  readonly retryMin: number;
  readonly retryMax: number;
  readonly drift: number;
  /** 0: the core derives it from ttl. */
  readonly nodeTimeout: number;
  readonly connectTimeout: number;
  readonly clock: Clock;
}

/** One acquisition, checked and complete. */
export interface Request {
  readonly keys: readonly string[];
  /** The full Redis keys, concatenated; `lengths` is empty for one key. */
  readonly bytes: Uint8Array;
  readonly lengths: Uint32Array;
  /** The caller's, or undefined: the core mints one. */
  readonly token: string | undefined;
  readonly ttl: number;
  readonly wait: number;
  readonly renew: boolean;
  readonly maxHold: number;
  readonly signal: AbortSignal | undefined;
}

const CLIENT_OPTIONS = new Set<string>([
  "url",
  "nodes",
  "transport",
  "prefix",
  "ttl",
  "wait",
  "retry",
  "drift",
  "nodeTimeout",
  "connectTimeout",
  "clock",
] satisfies (keyof ClientOptions)[]);

const ACQUIRE_OPTIONS = new Set<string>([
  "ttl",
  "wait",
  "fair",
  "renew",
  "maxHold",
  "token",
  "signal",
] satisfies (keyof AcquireOptions)[]);

const NO_LENGTHS = new Uint32Array(0);

/** Checks what createClient was given. */
export function parseClientOptions(given: unknown, defaultTransport: Transport): Settings {
  const options: ClientOptions = typeof given === "string" ? { url: given } : (given as ClientOptions);
  refuseUnknown("createClient", options, CLIENT_OPTIONS);
  const transport = parseTransport(options.transport);
  const retry = parseRetry(options.retry);
  return {
    endpoint: parseEndpoint(options, transport !== undefined),
    transport: transport ?? defaultTransport,
    prefix: options.prefix === undefined ? "lock:" : check("prefix", options.prefix, "string"),
    ttl: parseTtl(options.ttl, 30_000),
    wait: parseWait(options.wait, 10_000),
    retryMin: retry.min,
    retryMax: retry.max,
    drift: options.drift === undefined ? 0.01 : numberWithin("drift", options.drift, 0, 0.5),
    nodeTimeout: options.nodeTimeout === undefined ? 0 : integerWithin("nodeTimeout", options.nodeTimeout, 1),
    connectTimeout:
      options.connectTimeout === undefined
        ? 5_000
        : integerWithin("connectTimeout", options.connectTimeout, 1),
    clock: parseClock(options.clock),
  };
}

/** Checks what acquire, tryAcquire and using were given. `renew` is the default for that option. */
export function parseRequest(settings: Settings, key: unknown, given: unknown, renew: boolean): Request {
  const keys = parseKeys(key);
  const encoded = keys.map((name) => encode(settings.prefix + name));
  const [first] = encoded;
  const names =
    first !== undefined && encoded.length === 1
      ? { bytes: first, lengths: NO_LENGTHS }
      : concatenate(encoded);
  const options: AcquireOptions = given === undefined ? {} : (given as AcquireOptions);
  refuseUnknown("acquire", options, ACQUIRE_OPTIONS);
  if (options.fair !== undefined && check("fair", options.fair, "boolean")) {
    throw new TypeError("fair: fair locks are not available in this version; leave it out, or give false");
  }
  return {
    keys,
    bytes: names.bytes,
    lengths: names.lengths,
    token: parseToken(options.token),
    ttl: parseTtl(options.ttl, settings.ttl),
    wait: parseWait(options.wait, settings.wait),
    renew: options.renew === undefined ? renew : check("renew", options.renew, "boolean"),
    maxHold:
      options.maxHold === undefined
        ? Number.POSITIVE_INFINITY
        : duration("maxHold", options.maxHold, 1, "or Infinity"),
    signal: parseSignal(options.signal),
  };
}

/** Checks what close was given; returns its timeout. */
export function parseCloseOptions(given: unknown): number {
  const options: { timeout?: number } = given === undefined ? {} : (given as { timeout?: number });
  refuseUnknown("close", options, new Set(["timeout"]));
  return options.timeout === undefined ? 5_000 : integerWithin("timeout", options.timeout, 0);
}

/** Checks a lease; `fallback` when there is none. */
export function parseTtl(value: unknown, fallback: number): number {
  return value === undefined ? fallback : integerWithin("ttl", value, SHORTEST_TTL);
}

function parseWait(value: unknown, fallback: number): number {
  return value === undefined ? fallback : duration("wait", value, 0, "or Infinity");
}

function parseKeys(key: unknown): readonly string[] {
  if (typeof key === "string") return Object.freeze([nonEmpty("key", key)]);
  if (!Array.isArray(key)) {
    throw new TypeError(`key must be a string that is not empty, or an array of such; got ${show(key)}`);
  }
  if (key.length === 0) throw new RangeError("key must be at least one key; got an empty array");
  const names = Array.from(key, (name: unknown, index) => nonEmpty(`key[${index}]`, name));
  return Object.freeze([...new Set(names)]);
}

function nonEmpty(name: string, value: unknown): string {
  if (check(name, value, "string") === "") throw new RangeError(`${name} must be a string that is not empty`);
  return value as string;
}

function parseToken(value: unknown): string | undefined {
  return value === undefined ? undefined : nonEmpty("token", value);
}

function parseSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal | null;
  if (typeof signal?.aborted !== "boolean" || typeof signal.addEventListener !== "function") {
    throw new TypeError(`signal must be an AbortSignal; got ${show(value)}`);
  }
  return signal;
}

function parseEndpoint(options: ClientOptions, ownTransport: boolean): Endpoint {
  if (options.nodes === undefined) {
    if (options.url !== undefined) return parseUrl(check("url", options.url, "string"), "url");
    if (ownTransport) return localEndpoint;
    throw new TypeError('url is missing; give the server\'s, such as "redis://127.0.0.1:6379"');
  }
  if (options.url !== undefined) throw new TypeError("url and nodes exclude each other; give one of them");
  if (!Array.isArray(options.nodes)) {
    throw new TypeError(`nodes must be an array of URLs; got ${show(options.nodes)}`);
  }
  if (options.nodes.length === 0) throw new RangeError("nodes must name at least one server");
  if (options.nodes.length > 1) {
    throw new TypeError("nodes: several servers are not available in this version; give one");
  }
  const [node] = options.nodes as unknown[];
  if (typeof node === "string") return parseUrl(node, "nodes[0]");
  refuseUnknown("nodes[0]", node, new Set(["url"]));
  return parseUrl(check("nodes[0].url", (node as { url?: unknown }).url, "string"), "nodes[0].url");
}

function parseTransport(value: unknown): Transport | undefined {
  if (value === undefined) return undefined;
  if (typeof (value as Transport | null)?.connect !== "function") {
    throw new TypeError(`transport must be an object with a method connect; got ${show(value)}`);
  }
  return value as Transport;
}

function parseRetry(value: unknown): { min: number; max: number } {
  const retry = value === undefined ? {} : (value as { min?: number; max?: number });
  refuseUnknown("retry", retry, new Set(["min", "max"]));
  // One bound alone moves the other's default out of its way.
  const min = retry.min === undefined ? undefined : integerWithin("retry.min", retry.min, 1);
  const max = retry.max === undefined ? undefined : integerWithin("retry.max", retry.max, 1);
  if (min !== undefined && max !== undefined && min > max) {
    throw new RangeError(`retry.min must not be more than retry.max; got ${min} and ${max}`);
  }
  return { min: min ?? Math.min(50, max ?? 50), max: max ?? Math.max(250, min ?? 250) };
}

function parseClock(value: unknown): Clock {
  if (value === undefined) return systemClock;
  for (const method of ["now", "wall", "setTimeout", "clearTimeout"] satisfies (keyof Clock)[]) {
    if (typeof (value as Clock | null)?.[method] !== "function") {
      throw new TypeError(
        `clock must have the methods now, wall, setTimeout and clearTimeout; ${method} is missing`,
      );
    }
  }
  return value as Clock;
}
