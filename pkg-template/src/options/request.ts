import { FLAG } from "../core/wire.js";
import type { AcquireOptions, LockHandle } from "../types/types.js";
import { parseTtl, parseWait, type Settings } from "./client.js";
import { check, duration, optionsOf, show } from "./validate.js";

/** One acquisition or adoption, checked and complete. */
export interface Request {
  readonly keys: readonly string[];
  /** The caller's token, or undefined: the core draws one. */
  readonly token: string | undefined;
  /** The fence of the handle to adopt; 0 for none. */
  readonly fence: bigint;
  readonly fair: boolean;
  readonly ttl: number;
  readonly wait: number;
  /** As in FLAG. */
  readonly flags: number;
  readonly maxHold: number;
  readonly signal: AbortSignal | undefined;
}

const ACQUIRE_OPTIONS = new Set<string>([
  "ttl",
  "wait",
  "fair",
  "renew",
  "maxHold",
  "token",
  "signal",
] satisfies (keyof AcquireOptions)[]);

const FENCE = /^[0-9]{1,20}$/;
const LARGEST_FENCE = 2n ** 64n - 1n;
const NO_FAIR_REDLOCK =
  "fair: requires a single server; several servers share no order of arrival, so a fair Redlock would be unsound";

/**
 * The default leases. A waiter's default wait is longer than the lease of a holder that renews, so that a holder that dies
 * costs no waiter its turn.
 */
const RENEWED_TTL = 10_000;
const UNRENEWED_TTL = 30_000;

/** The defaults of a verb, where they are not those of the client. */
export interface VerbDefaults {
  readonly renew?: boolean;
  readonly wait?: number;
}

/** Checks the arguments of `verb`: acquire, tryAcquire or using. */
export function parseRequest(
  verb: string,
  settings: Settings,
  key: unknown,
  given: unknown,
  defaults: VerbDefaults = {},
): Request {
  const keys = parseKeys("key", key);
  const options = acquireOptions(verb, given);
  const fair = check("fair", options.fair, "boolean", false);
  const token = options.token === undefined ? undefined : parseToken("token", options.token);
  return complete(settings, options, defaults, {
    keys,
    token,
    fair,
    fence: 0n,
    ttl: settings.ttl,
    flags: 0,
  });
}

/** Checks the arguments of adopt. */
export function parseAdoption(settings: Settings, handle: unknown, given: unknown): Request {
  const lock = parseHandle(handle);
  const options = acquireOptions("adopt", given);
  for (const name of ["token", "fair"] as const) {
    if (options[name] !== undefined && options[name] !== lock[name]) {
      throw new TypeError(`adopt: ${name} comes from the handle; remove it from the options`);
    }
  }
  return complete(settings, options, {}, { ...lock, flags: FLAG.adopt });
}

/** The options of `verb`. Other libraries take the lease as a number in their place. */
function acquireOptions(verb: string, given: unknown): AcquireOptions {
  if (typeof given !== "number") return optionsOf<AcquireOptions>(verb, given, ACQUIRE_OPTIONS);
  throw new TypeError(
    `${verb}: options must be an object; got ${given} (a lease of ${given} ms is { ttl: ${given} })`,
  );
}

/** What a request is about. `ttl` is the default of that option, if there is one. */
interface Subject extends Pick<Request, "keys" | "token" | "fair" | "fence" | "flags"> {
  readonly ttl: number | undefined;
}

function complete(
  settings: Settings,
  options: AcquireOptions,
  defaults: VerbDefaults,
  subject: Subject,
): Request {
  if (subject.fair && settings.isRedlock) throw new TypeError(NO_FAIR_REDLOCK);
  const renewed = check("renew", options.renew, "boolean", defaults.renew ?? false);
  const { keys, token, fence, fair } = subject;
  // Named one by one: spreading objects would cost as much as the rest of an acquire.
  return {
    keys,
    token,
    fence,
    fair,
    ttl: parseTtl(options.ttl, subject.ttl ?? (renewed ? RENEWED_TTL : UNRENEWED_TTL)),
    wait: parseWait(options.wait, defaults.wait ?? settings.wait),
    flags: subject.flags | (renewed ? FLAG.renew : 0) | (subject.fair ? FLAG.fair : 0),
    maxHold: duration("maxHold", options.maxHold, 1, Number.POSITIVE_INFINITY, " or Infinity"),
    signal: parseSignal(options.signal),
  };
}

function parseHandle(given: unknown): Omit<Subject, "flags"> {
  // The value is never shown: it may hold a token.
  if (typeof given !== "object" || given === null) {
    throw new TypeError(`adopt: the handle must be an object from a lock's toJSON(); got a ${typeof given}`);
  }
  const { keys, token, fair, fence, ttl } = given as { [name in keyof LockHandle]?: unknown };
  try {
    if (fence !== null && !(typeof fence === "string" && FENCE.test(fence))) {
      throw new TypeError("handle.fence must be a string of decimal digits, or null");
    }
    if (BigInt(fence ?? 0) > LARGEST_FENCE) throw new TypeError("handle.fence must be less than 2^64");
    return {
      keys: parseKeys("handle.keys", Array.isArray(keys) ? keys : null),
      token: parseToken("handle.token", token),
      fair: check("handle.fair", fair, "boolean"),
      fence: BigInt(fence ?? 0),
      ttl: parseTtl(ttl, undefined, "handle.ttl"),
    };
  } catch (error) {
    // Always a TypeError: the caller does not choose a handle's values, so it is either valid or not a handle.
    throw new TypeError(`adopt: ${(error as Error).message}; pass a handle from a lock's toJSON()`);
  }
}

function parseKeys(name: string, key: unknown): readonly string[] {
  if (typeof key === "string") return Object.freeze([parseKey(name, key)]);
  if (!Array.isArray(key)) {
    throw new TypeError(`${name} must be a non-empty string or an array of them; got ${show(key)}`);
  }
  if (key.length === 0) throw new RangeError(`${name} must contain at least one key; got an empty array`);
  const names = Array.from(key, (item: unknown, index) => parseKey(`${name}[${index}]`, item));
  return Object.freeze([...new Set(names)]);
}

function parseKey(name: string, value: unknown): string {
  if (check(name, value, "string") === "") throw new RangeError(`${name} must be a non-empty string`);
  return value as string;
}

/** The value is never shown. */
function parseToken(name: string, value: unknown): string {
  if (typeof value === "string" && value !== "") return value;
  const Refusal = value === "" ? RangeError : TypeError;
  throw new Refusal(`${name} must be a non-empty string`);
}

function parseSignal(value: unknown): AbortSignal | undefined {
  if (value === undefined) return undefined;
  const signal = value as AbortSignal | null;
  const listens = (["addEventListener", "removeEventListener"] as const).every(
    (method) => typeof signal?.[method] === "function",
  );
  if (typeof signal?.aborted !== "boolean" || !listens) {
    throw new TypeError(`signal must be an AbortSignal; got ${show(value)}`);
  }
  return signal;
}
