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

/** The base class of all errors. */
export abstract class LockError extends Error {
  /** Stable, for programs. */
  abstract readonly code: LockErrorCode;

  static {
    brand(LockError, "LockError", "LOCK");
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

/** Not acquired within `wait`. */
export class LockTimeoutError extends LockError {
  override readonly code = "LOCK_TIMEOUT";
  /** How often the server was asked for the lock. */
  readonly attempts: number;

  static {
    brand(LockTimeoutError, "LockTimeoutError", "LOCK_TIMEOUT");
  }

  constructor(message: string, attempts: number, options?: ErrorOptions) {
    super(message, options);
    this.attempts = attempts;
  }
}

/** The lock's validity ended, or the server says that this owner no longer holds it. */
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

/** The vote of one of several servers. */
export interface Vote {
  /** The server, as host:port or the path of its socket. */
  readonly node: string;
  /** The server granted the lock, another owner holds it there, or the server could not be asked. */
  readonly outcome: "granted" | "held" | "failed";
  /** The reason for `"failed"`; absent otherwise. */
  readonly error?: LockError;
}

/** Too few of several servers granted the lock, and some could not be asked. `cause` is the first of their errors, if any. */
export class QuorumError extends LockError {
  override readonly code = "LOCK_QUORUM";
  /** One entry per server, in the order of `nodes`. */
  readonly votes: readonly Vote[];

  static {
    brand(QuorumError, "QuorumError", "LOCK_QUORUM");
  }

  constructor(message: string, votes: readonly Vote[], options?: ErrorOptions) {
    super(message, options);
    this.votes = votes;
  }
}

/** The connection was refused, was closed or timed out. `cause` is the socket's error, if there is one. */
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

  constructor(message: string, node: string, prefix: string, options?: ErrorOptions) {
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

  constructor(message: string, node: string, options?: ErrorOptions) {
    super(message, options);
    this.node = node;
  }
}

/** A limit is reached: too many calls are waiting already. */
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

/** The WebAssembly core failed: a bug in this package. */
export class InternalError extends LockError {
  override readonly code = "LOCK_INTERNAL";

  static {
    brand(InternalError, "InternalError", "LOCK_INTERNAL");
  }
}
