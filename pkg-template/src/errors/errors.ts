/**
 * Everything that can fail apart from misuse, each with a stable `code`. `instanceof` holds across duplicate copies of
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

/** The base of all failures. */
export abstract class LockError extends Error {
  /** Stable, for programs. */
  abstract readonly code: LockErrorCode;

  static {
    brand(LockError, "LockError", "LOCK");
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    if (typeof value !== "object" || value === null) return false;
    // biome-ignore lint/complexity/noThisInStatic: subclasses inherit this method and mean themselves.
    const own = Object.getOwnPropertyDescriptor(this.prototype, mark);
    // A user's own subclass has no mark of its own and is recognised as usual.
    // biome-ignore lint/complexity/noThisInStatic: as above.
    if (own === undefined) return Function.prototype[Symbol.hasInstance].call(this, value);
    const marked: unknown = Reflect.get(value, mark);
    return marked !== undefined && (own.value === "LOCK" || own.value === marked);
  }
}

/** Not acquired within `wait`. */
export class LockTimeoutError extends LockError {
  override readonly code = "LOCK_TIMEOUT";
  /** How often the server was asked. */
  readonly attempts: number;

  static {
    brand(LockTimeoutError, "LockTimeoutError", "LOCK_TIMEOUT");
  }

  constructor(message: string, attempts: number, options?: ErrorOptions) {
    super(message, options);
    this.attempts = attempts;
  }
}

/** Validity ended, or the server says that the lock is no longer ours. */
export class LockLostError extends LockError {
  override readonly code = "LOCK_LOST";
  /** Wall-clock time in ms at which the loss was noticed. */
  readonly since: number;

  static {
    brand(LockLostError, "LockLostError", "LOCK_LOST");
  }

  constructor(message: string, since: number, options?: ErrorOptions) {
    super(message, options);
    this.since = since;
  }
}

/** What one of several servers had to say. */
export interface Vote {
  /** The server, as host:port or the path of its socket. */
  readonly node: string;
  /** It granted the lock, another holds the lock there, or it could not be asked. */
  readonly outcome: "granted" | "held" | "failed";
  /** Why it failed; only there if it did. */
  readonly error?: LockError;
}

/** A majority of several servers cannot be had. `cause` is the first of their errors, if there is one. */
export class QuorumError extends LockError {
  override readonly code = "LOCK_QUORUM";
  /** One entry per server, in the order in which they were given. */
  readonly votes: readonly Vote[];

  static {
    brand(QuorumError, "QuorumError", "LOCK_QUORUM");
  }

  constructor(message: string, votes: readonly Vote[], options?: ErrorOptions) {
    super(message, options);
    this.votes = votes;
  }
}

/** Refused, closed, or timed out. `cause` is the socket's error where there is one. */
export class ConnectionError extends LockError {
  override readonly code = "LOCK_CONNECTION";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;

  static {
    brand(ConnectionError, "ConnectionError", "LOCK_CONNECTION");
  }

  constructor(message: string, node: string, options?: ErrorOptions) {
    super(message, options);
    this.node = node;
  }
}

/** The server answered with an error. */
export class ServerError extends LockError {
  override readonly code = "LOCK_SERVER";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;
  /** The first word of its answer: NOAUTH, READONLY, ... */
  readonly prefix: string;

  static {
    brand(ServerError, "ServerError", "LOCK_SERVER");
  }

  constructor(message: string, node: string, prefix: string, options?: ErrorOptions) {
    super(message, options);
    this.node = node;
    this.prefix = prefix;
  }
}

/** A malformed, over-limit or mismatched reply. */
export class ProtocolError extends LockError {
  override readonly code = "LOCK_PROTOCOL";
  /** The server, as host:port or the path of its socket. */
  readonly node: string;

  static {
    brand(ProtocolError, "ProtocolError", "LOCK_PROTOCOL");
  }

  constructor(message: string, node: string, options?: ErrorOptions) {
    super(message, options);
    this.node = node;
  }
}

/** A cap is reached: too much is waiting already. */
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

/** The WebAssembly core failed: a bug of this package. */
export class InternalError extends LockError {
  override readonly code = "LOCK_INTERNAL";

  static {
    brand(InternalError, "InternalError", "LOCK_INTERNAL");
  }
}
