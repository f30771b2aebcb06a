import type { Failure } from "../core/records.js";
import { CODE } from "../core/wire.js";
import {
  ClosedError,
  ConnectionError,
  InternalError,
  type LockError,
  LockLostError,
  LockTimeoutError,
  OverloadedError,
  ProtocolError,
  QuorumError,
  ServerError,
  type Vote,
} from "../errors/errors.js";

/** What is known on the node that a failure is about. */
export interface FailedNode {
  readonly name: string;
  /** Whether it is spoken to in TLS. */
  readonly tls: boolean;
  /** How its last connection ended. */
  readonly lastError: { readonly reason: string; readonly error: unknown } | undefined;
}

/** How votes tell of a failure that is no server's error reply. */
const VOTE_CODES = new Map<string, number>([
  ["LOCK_CONNECTION", CODE.connection],
  ["LOCK_PROTOCOL", CODE.protocol],
  ["LOCK_OVERLOADED", CODE.overloaded],
]);

/** The error to reject with. `since` is the wall clock, for a loss. */
export function errorOf(failure: Failure, nodes: readonly FailedNode[], since: number): LockError {
  const [first = "", second = ""] = failure.details;
  const node = nodes[failure.node] ?? allOf(nodes);
  switch (failure.code) {
    case CODE.timeout:
      return new LockTimeoutError(first, failure.attempts);
    case CODE.lost:
      return new LockLostError(first || "the lock is no longer ours", since);
    case CODE.quorum: {
      const votes = nodes.map((_, index) => voteOf(failure, nodes, index));
      const cause = votes.find(({ error }) => error !== undefined)?.error;
      return new QuorumError(first, votes, cause && { cause });
    }
    case CODE.connection:
      return new ConnectionError(at(node, first) + hint(node, first), node.name, causeOf(first, node));
    case CODE.server:
      return new ServerError(at(node, second), node.name, first);
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

/** After the message, the details of a quorum's failure are pairs: each node's outcome, and a text if it failed. */
function voteOf({ details, attempts }: Failure, nodes: readonly FailedNode[], index: number): Vote {
  const outcome = details[2 * index + 1] ?? "";
  const text = details[2 * index + 2] ?? "";
  const node = nodes[index]?.name ?? "";
  if (text === "" && (outcome === "granted" || outcome === "held")) return { node, outcome };
  const code = VOTE_CODES.get(outcome);
  const failure =
    code === undefined ? { code: CODE.server, details: [outcome, text] } : { code, details: [text] };
  return { node, outcome: "failed", error: errorOf({ ...failure, node: index, attempts }, nodes, 0) };
}

/** For a failure that is not one node's. */
function allOf(nodes: readonly FailedNode[]): FailedNode {
  return { name: nodes.map(({ name }) => name).join(", "), tls: false, lastError: undefined };
}

function at(node: FailedNode, text: string): string {
  return text.includes(node.name) ? text : `${node.name}: ${text}`;
}

/** The socket's own error, when it is what the core speaks of. */
function causeOf(text: string, node: FailedNode): ErrorOptions | undefined {
  const last = node.lastError;
  return last?.error != null && text.includes(last.reason) ? { cause: last.error } : undefined;
}

/** A server without TLS waits for the rest of what it takes for a command, and says nothing. */
function hint(node: FailedNode, text: string): string {
  return node.tls && text.includes("connectTimeout") ? "; does it speak TLS there, as rediss:// wants?" : "";
}
