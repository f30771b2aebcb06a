/**
 * All errors except those for invalid arguments, each with a stable `code`. `instanceof` works across duplicate copies of
 * this package: classes are recognised by a mark, not by identity.
 */

const mark = Symbol.for("redlatch.error");

/** The stable codes. */
export type LockErrorCode =
  | "LOCK_TIMEOUT"
  | "LOCK_LOST"
  | "LOCK_QUORUM"
  | "LOCK_CONNECTION"
  | "LOCK_SERVER"
  | "LOCK_PROTOCOL"
  | "LOCK_OVERLOADED"
  | "LOCK_CLOSED"
  | "LOCK_INTERNAL";

function brand(type: { readonly prototype: LockError }, name: string, code: LockErrorCode | "LOCK"): void {
  Object.defineProperty(type.prototype, mark, { value: code });
  Object.defineProperty(type.prototype, "name", { value: name, configurable: true, writable: true });
}

/** Options of the errors' constructors. */
export interface LockErrorOptions {
  /** The underlying error, if there is one. */
  cause?: unknown;
  /** The keys of the lock that the error concerns; none by default. */
  keys?: readonly string[];
}

const NO_KEYS: readonly string[] = Object.freeze([]);
const LONGEST_NAMES = 200;

// For programs that compile without the library of ES2022. Not in the class, where a field would overwrite it.
export interface LockError {
  /** The underlying error, if there is one. */
  readonly cause?: unknown;
}

/**
 * The base class of all errors. The message names the keys, and `stack` is that of the call that failed; for a lost lock,
 * that of the call that acquired it. No error contains a token or a password.
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the constructor of Error sets the property.
export abstract class LockError extends Error {
  /** Stable, for programs. */
  abstract readonly code: LockErrorCode;
  /** The keys of the lock that the error concerns, as given; empty if it concerns no lock, such as an error of `ready`. */
  readonly keys: readonly string[];

  static {
    brand(LockError, "LockError", "LOCK");
  }

  constructor(message: string, { keys = NO_KEYS, cause }: LockErrorOptions = {}) {
    const named = keys.length === 0 ? message : `lock ${namesOf(keys)}: ${message}`;
    super(named, cause === undefined ? undefined : { cause });
    this.keys = keys;
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method, and `this` is the subclass.
    const own = Object.getOwnPropertyDescriptor(this.prototype, mark);
    // An application's own subclass has no mark and is recognised as usual.
    // biome-ignore lint/complexity/noThisInStatic: as above.
    if (own === undefined) return Function.prototype[Symbol.hasInstance].call(this, value);
    const marked: unknown = Reflect.get(value, mark);
    return marked !== undefined && (own.value === "LOCK" || own.value === marked);
  }
}

/** The lock was not acquired within `wait`. `cause` is the error of a server that failed in the last attempt, if there is one. */
export class LockTimeoutError extends LockError {
  override readonly code = "LOCK_TIMEOUT";
  /** How many attempts were made: how often the servers were asked for the lock. */
  readonly attempts: number;

  static {
    brand(LockTimeoutError, "LockTimeoutError", "LOCK_TIMEOUT");
  }

  constructor(message: string, attempts: number, options?: LockErrorOptions) {
    super(message, options);
    this.attempts = attempts;
  }
}

/**
 * The lock's validity ended, or the server says that this owner no longer holds it. `cause`, if there is one, is the error of
 * the last failed extension, or a ClosedError.
 */
export class LockLostError extends LockError {
  override readonly code = "LOCK_LOST";
  /** Wall-clock time at which the loss was noticed, in ms since 1970. */
  readonly since: number;
  /** Only on the error with which `using` rejects: what the body returned. */
  declare readonly result?: unknown;

  static {
    brand(LockLostError, "LockLostError", "LOCK_LOST");
  }

  constructor(message: string, since: number, options?: LockErrorOptions) {
    super(message, options);
    this.since = since;
  }
}

/** The vote of one of several servers. */
export interface Vote {
  /** The server, as host:port or the path of its socket. */
  readonly node: string;
  /**
   * The server granted the lock, another owner holds it there, the server failed or did not answer, or the others had decided
   * the vote before this server was connected or had answered.
   */
  readonly outcome: "granted" | "held" | "failed" | "undecided";
  /** The reason for `"failed"`; absent otherwise. */
  readonly error?: LockError;
}

/** Too few of several servers granted the lock, and some failed or did not answer. `cause` is the error of one that failed. */
export class QuorumError extends LockError {
  override readonly code = "LOCK_QUORUM";
  /** One entry per server, in the order of `nodes`. */
  readonly votes: readonly Vote[];

  static {
    brand(QuorumError, "QuorumError", "LOCK_QUORUM");
  }

  constructor(message: string, votes: readonly Vote[], options?: LockErrorOptions) {
    super(message, options);
    this.votes = votes;
  }
}

/** A connection was refused or closed, or a server did not answer in time. `cause` is the socket's error, if there is one. */
export class ConnectionError extends LockError {
  override readonly code = "LOCK_CONNECTION";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;

  static {
    brand(ConnectionError, "ConnectionError", "LOCK_CONNECTION");
  }

  constructor(message: string, node: string, options?: LockErrorOptions) {
    super(message, options);
    this.node = node;
  }
}

/** The server sent an error reply. */
export class ServerError extends LockError {
  override readonly code = "LOCK_SERVER";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;
  /** The first word of the error reply: NOAUTH, READONLY, ... */
  readonly prefix: string;

  static {
    brand(ServerError, "ServerError", "LOCK_SERVER");
  }

  constructor(message: string, node: string, prefix: string, options?: LockErrorOptions) {
    super(message, options);
    this.node = node;
    this.prefix = prefix;
  }
}

/** The server sent a malformed, oversized or mismatched reply. */
export class ProtocolError extends LockError {
  override readonly code = "LOCK_PROTOCOL";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;

  static {
    brand(ProtocolError, "ProtocolError", "LOCK_PROTOCOL");
  }

  constructor(message: string, node: string, options?: LockErrorOptions) {
    super(message, options);
    this.node = node;
  }
}

/**
 * A limit is reached: the client has 100 000 locks that are held, waited for or being released, or 65 536 commands wait for
 * replies from one server.
 */
export class OverloadedError extends LockError {
  override readonly code = "LOCK_OVERLOADED";

  static {
    brand(OverloadedError, "OverloadedError", "LOCK_OVERLOADED");
  }
}

/** The client is closed. */
export class ClosedError extends LockError {
  override readonly code = "LOCK_CLOSED";

  static {
    brand(ClosedError, "ClosedError", "LOCK_CLOSED");
  }
}

/** The WebAssembly core failed, which is a bug in this package, or could not be loaded. */
export class InternalError extends LockError {
  override readonly code = "LOCK_INTERNAL";

  static {
    brand(InternalError, "InternalError", "LOCK_INTERNAL");
  }
}

/** The keys for a message: quoted, and cut where they are long. */
function namesOf(keys: readonly string[]): string {
  let names = "";
  for (const key of keys) {
    const left = LONGEST_NAMES - names.length;
    if (left <= 0) return `${names}, ...`;
    // Cut before quoting, which escapes control characters and the halves of a pair that was cut in two.
    const name = key.length > left ? `${JSON.stringify(key.slice(0, left))}...` : JSON.stringify(key);
    names += names === "" ? name : `, ${name}`;
  }
  return names;
}
