import { type Endpoint, localEndpoint, nameOf, parseUrl } from "./address.js";
import { check, duration, numberWithin, optionsOf, show } from "./check.js";
import { systemClock } from "./clock.js";
import type { LockEvent } from "./observation.js";
import type { ClientOptions, Clock, Transport } from "./types.js";

const SHORTEST_TTL = 100;

/** A client's options, checked and complete. */
export interface Settings {
  /** At least one; several make every lock a Redlock. */
  readonly endpoints: readonly Endpoint[];
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
  readonly observe: ((event: LockEvent) => unknown) | undefined;
  readonly clock: Clock;
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
  "observe",
  "clock",
] satisfies (keyof ClientOptions)[]);
const NODE_OPTIONS = new Set(["url"]);
const RETRY_OPTIONS = new Set(["min", "max"]);
const CLOSE_OPTIONS = new Set(["timeout"]);

/** Checks what createClient was given. */
export function parseClientOptions(given: unknown, defaultTransport: Transport): Settings {
  if (given === undefined || given instanceof URL) {
    throw new TypeError(`createClient: give the server's URL as a string, or options; got ${show(given)}`);
  }
  const object = typeof given === "string" ? { url: given } : given;
  const options = optionsOf<ClientOptions>("createClient", object, CLIENT_OPTIONS);
  const transport = parseTransport(options.transport);
  const { min, max } = parseRetry(options.retry);
  return {
    endpoints: parseEndpoints(options, transport !== undefined),
    transport: transport ?? defaultTransport,
    prefix: check("prefix", options.prefix, "string", "lock:"),
    ttl: parseTtl(options.ttl, 30_000),
    wait: parseWait(options.wait, 10_000),
    retryMin: min,
    retryMax: max,
    drift: numberWithin("drift", options.drift, 0, 0.5, 0.01),
    nodeTimeout: duration("nodeTimeout", options.nodeTimeout, 1, 0),
    connectTimeout: duration("connectTimeout", options.connectTimeout, 1, 5_000),
    observe: options.observe === undefined ? undefined : check("observe", options.observe, "function"),
    clock: parseClock(options.clock),
  };
}

/** Checks what close was given; returns its timeout. */
export function parseCloseOptions(given: unknown): number {
  const { timeout } = optionsOf<{ timeout?: number }>("close", given, CLOSE_OPTIONS);
  return duration("timeout", timeout, 0, 5_000);
}

/** Checks a lease; `fallback` when there is none. */
export function parseTtl(value: unknown, fallback?: number, name = "ttl"): number {
  return duration(name, value, SHORTEST_TTL, fallback);
}

/** Checks a longest wait; `fallback` when there is none. */
export function parseWait(value: unknown, fallback: number): number {
  return duration("wait", value, 0, fallback, " or Infinity");
}

function parseEndpoints({ url, nodes }: ClientOptions, ownTransport: boolean): Endpoint[] {
  if (nodes === undefined) {
    if (url !== undefined) return [parseUrl(check("url", url, "string"), "url")];
    if (ownTransport) return [localEndpoint];
    throw new TypeError('url is missing; give the server\'s, such as "redis://127.0.0.1:6379"');
  }
  if (url !== undefined) throw new TypeError("url and nodes exclude each other; give one of them");
  if (!Array.isArray(nodes)) throw new TypeError(`nodes must be an array of URLs; got ${show(nodes)}`);
  if (nodes.length === 0) throw new RangeError("nodes must name at least one server; got an empty array");
  const seen = new Map<string, number>();
  return Array.from(nodes as unknown[], (node, index) => {
    const endpoint = parseNode(node, `nodes[${index}]`);
    const name = nameOf(endpoint.address);
    const same = endpoint.address.path ?? name.toLowerCase();
    const other = seen.get(same);
    if (other !== undefined) {
      // Its votes would count twice, and two clients could both have a majority.
      throw new RangeError(
        `nodes[${index}] is the same server as nodes[${other}] (${name}); all must be independent of each other`,
      );
    }
    seen.set(same, index);
    return endpoint;
  });
}

function parseNode(node: unknown, name: string): Endpoint {
  if (typeof node === "string") return parseUrl(node, name);
  const { url } = optionsOf<{ url?: unknown }>(name, node ?? null, NODE_OPTIONS);
  return parseUrl(check(`${name}.url`, url, "string"), `${name}.url`);
}

function parseTransport(value: unknown): Transport | undefined {
  if (value === undefined) return undefined;
  if (typeof (value as Transport | null)?.connect !== "function") {
    throw new TypeError(`transport must be an object with a method connect; got ${show(value)}`);
  }
  return value as Transport;
}

function parseRetry(value: unknown): { min: number; max: number } {
  const retry = optionsOf<{ min?: number; max?: number }>("retry", value, RETRY_OPTIONS);
  // One bound alone moves the other's default out of its way.
  const most = duration("retry.max", retry.max, 1, 250);
  const min = duration("retry.min", retry.min, 1, Math.min(50, most));
  const max = retry.max === undefined ? Math.max(most, min) : most;
  if (min > max) throw new RangeError(`retry.min must not be more than retry.max; got ${min} and ${max}`);
  return { min, max };
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
  const clock = value as Clock;
  // Read once now: one that cannot be used, such as a method without its object, would fail in the middle of a lock.
  for (const method of ["now", "wall"] as const) {
    const reading = attempt(() => clock[method]());
    if (!Number.isFinite(reading)) {
      throw new TypeError(`clock.${method} must return a number of ms; got ${show(reading)}`);
    }
  }
  return clock;
}

/** The result, or the error that was thrown in its place. */
function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
