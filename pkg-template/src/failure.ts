import { CODE, type Failure } from "./core.js";
import {
  ClosedError,
  ConnectionError,
  InternalError,
  type LockError,
  LockLostError,
  LockTimeoutError,
  OverloadedError,
  ProtocolError,
  ServerError,
} from "./errors.js";

/** Short human text for whatever a transport threw. */
export function reasonOf(error: unknown): string {
  if (error === undefined || error === null) return "the connection was closed";
  if (!(error instanceof Error)) return String(error).slice(0, 200);
  // A dial of several addresses fails with an AggregateError, whose own message is empty.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(reasonOf).join("; ");
  return error.message || error.name;
}

/** What is known on the node that a failure is about. */
export interface FailedNode {
  readonly name: string;
  readonly password: string;
  /** How its last connection ended. */
  readonly lastError: { readonly reason: string; readonly error: unknown } | undefined;
}

/**
 * What the core's acquire throws when it has not trapped: the request's own fault is a TypeError, one lock too many a
 * plain Error. All else is a trap: undefined.
 */
export function refusalOf(error: unknown): Error | undefined {
  if (!(error instanceof Error)) return undefined;
  const type: unknown = Object.getPrototypeOf(error);
  if (type === TypeError.prototype) return error;
  return type === Error.prototype ? new OverloadedError(error.message) : undefined;
}

/** The error to reject with. `since` is the wall clock, for a loss. */
export function errorOf(failure: Failure, node: FailedNode, since: number): LockError {
  const [first = "", second = ""] = failure.details;
  switch (failure.code) {
    case CODE.timeout:
      return new LockTimeoutError(first, failure.attempts);
    case CODE.lost:
      return new LockLostError(first || "the lock is no longer ours", since);
    case CODE.connection:
      return new ConnectionError(at(node, first), node.name, causeOf(first, node));
    case CODE.server:
      return new ServerError(at(node, withoutArguments(second, node.password)), node.name, first);
    case CODE.protocol:
      return new ProtocolError(at(node, first), node.name);
    case CODE.overloaded:
      return new OverloadedError(first);
    case CODE.closed:
      return new ClosedError("the client is closed");
    default:
      return new InternalError(first || `the core failed with code ${failure.code}`);
  }
}

function at(node: FailedNode, text: string): string {
  return text.includes(node.name) ? text : `${node.name}: ${text}`;
}

/** The socket's own error, when it is what the core speaks of. */
function causeOf(text: string, node: FailedNode): ErrorOptions | undefined {
  const last = node.lastError;
  return last?.error != null && text.includes(last.reason) ? { cause: last.error } : undefined;
}

/** Servers repeat the arguments of commands that they do not know; AUTH's is a password. */
function withoutArguments(message: string, password: string): string {
  const text = message.replace(/,? with args beginning with.*$/s, "");
  return password.length > 3 ? text.replaceAll(password, "***") : text;
}
