import type { LockEvent } from "../types/observe.js";
import type { Transport } from "../types/transport.js";
import type { ClientOptions, Clock, Credentials } from "../types/types.js";
import { systemClock } from "./clock.js";
import type { Voter } from "./deployment.js";
import { NODE_OPTIONS, type Node } from "./nodes.js";
import { check, duration, integerWithin, numberWithin, optionsOf, refuseSeveral, show } from "./validate.js";
import { parseGroup, parseVoters } from "./voters.js";

const SHORTEST_TTL = 100;
const MOST_REPLICAS = 1_000;

/** A client's options, checked and complete. */
export interface Settings {
  /** At least one. With several, every lock is a Redlock. */
  readonly voters: readonly Voter[];
  /** The servers of all voters, in the same order. */
  readonly nodes: readonly Node[];
  /** Whether every lock is a Redlock. */
  readonly isRedlock: boolean;
  /** The text with which every request is refused, if a server's URL is not set. */
  readonly missing: string | undefined;
  /** Asked at each connect, in place of the credentials in the URLs. */
  readonly credentials: (() => Credentials | Promise<Credentials>) | undefined;
  readonly prefix: string;
  /** Empty for none. */
  readonly label: string;
  /** Undefined if the application leaves it to us: it then depends on whether the lease is renewed. */
  readonly ttl: number | undefined;
  readonly wait: number;
  readonly retryMin: number;
  readonly retryMax: number;
  readonly drift: number;
  /** 0 if the core derives it from ttl. */
  readonly nodeTimeout: number;
  readonly connectTimeout: number;
  /** How many replicas must confirm what is granted; 0 for none. */
  readonly replicas: number;
  readonly observe: ((event: LockEvent) => unknown) | undefined;
  readonly clock: Clock;
}

const CLIENT_OPTIONS = new Set<string>([
  ...NODE_OPTIONS,
  "nodes",
  "credentials",
  "allowPlaintextAuth",
  "prefix",
  "label",
  "ttl",
  "wait",
  "retry",
  "drift",
  "nodeTimeout",
  "connectTimeout",
  "replicas",
  "observe",
  "clock",
] satisfies (keyof ClientOptions)[]);
const RETRY_OPTIONS = new Set(["min", "max"]);
const CLOSE_OPTIONS = new Set(["timeout"]);

/** Checks the options of createClient; `sockets` are the runtime's own, if it has any. */
export function parseClientOptions(given: unknown, sockets: Transport | undefined): Settings {
  if (given instanceof URL) {
    throw new TypeError(
      `createClient: expected the server's URL as a string, or options; got ${show(given)}`,
    );
  }
  const object = typeof given === "string" || given === undefined ? { url: given } : given;
  const options = optionsOf<ClientOptions>("createClient", object, CLIENT_OPTIONS);
  const { min, max } = parseRetry(options.retry);
  const group = parseGroup(options, sockets);
  const voters = group === undefined ? parseVoters(options, sockets) : [group];
  const nodes = voters.flatMap((voter) => voter.nodes);
  refuseSeveral(options, ["url", "nodes", "cluster", "sentinel"]);
  return {
    voters,
    nodes,
    isRedlock: voters.length > 1,
    missing: nodes.find(({ missing }) => missing !== undefined)?.missing,
    credentials: parseCredentials(options.credentials),
    prefix: check("prefix", options.prefix, "string", "lock:"),
    label: parseLabel(options.label),
    ttl: options.ttl === undefined ? undefined : parseTtl(options.ttl),
    wait: parseWait(options.wait, 15_000),
    retryMin: min,
    retryMax: max,
    drift: numberWithin("drift", options.drift, 0, 0.5, 0.01),
    nodeTimeout: duration("nodeTimeout", options.nodeTimeout, 1, 0),
    connectTimeout: duration("connectTimeout", options.connectTimeout, 1, 5_000),
    replicas: parseReplicas(options.replicas, nodes),
    observe: options.observe === undefined ? undefined : check("observe", options.observe, "function"),
    clock: parseClock(options.clock),
  };
}

/** Checks the options of close; returns the timeout. */
export function parseCloseOptions(given: unknown): number {
  const { timeout } = optionsOf<{ timeout?: number }>("close", given, CLOSE_OPTIONS);
  return duration("timeout", timeout, 0, 5_000);
}

/** Checks a lease; `fallback` replaces undefined. */
export function parseTtl(value: unknown, fallback?: number, name = "ttl"): number {
  return duration(name, value, SHORTEST_TTL, fallback);
}

/** Checks a longest wait; `fallback` replaces undefined. */
export function parseWait(value: unknown, fallback: number): number {
  return duration("wait", value, 0, fallback, " or Infinity");
}

function parseLabel(value: unknown): string {
  const label = check("label", value, "string", "");
  if (/^[ -~]{0,64}$/.test(label)) return label;
  throw new RangeError(`label must have at most 64 characters, all of printable ASCII; got ${show(label)}`);
}

function parseReplicas(value: unknown, nodes: readonly Node[]): number {
  const replicas = integerWithin("replicas", value, 0, MOST_REPLICAS, 0);
  if (replicas > 0 && nodes.some(({ transport }) => transport.carrier === "commands")) {
    throw new TypeError(
      "replicas needs connections of the client's own: another client may send WAIT on another connection than the lock's commands",
    );
  }
  return replicas;
}

function parseRetry(value: unknown): { min: number; max: number } {
  const retry = optionsOf<{ min?: number; max?: number }>("retry", value, RETRY_OPTIONS);
  // A single bound limits the default of the other.
  const most = duration("retry.max", retry.max, 1, 250);
  const min = duration("retry.min", retry.min, 1, Math.min(50, most));
  const max = retry.max === undefined ? Math.max(most, min) : most;
  if (min > max) throw new RangeError(`retry.min must not exceed retry.max; got ${min} and ${max}`);
  return { min, max };
}

function parseCredentials(value: unknown): Settings["credentials"] {
  return value === undefined
    ? undefined
    : (check("credentials", value, "function") as NonNullable<Settings["credentials"]>);
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
  // Read once now: a broken clock, such as a method without its object, would otherwise fail in the middle of a lock.
  for (const method of ["now", "wall"] as const) {
    const reading = attempt(() => clock[method]());
    if (!Number.isFinite(reading)) {
      throw new TypeError(`clock.${method} must return a number of ms; got ${show(reading)}`);
    }
  }
  return clock;
}

/** The result, or the error that was thrown instead. */
function attempt(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return error;
  }
}
