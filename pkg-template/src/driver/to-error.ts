import type { ErrorRecord } from "../core/records.js";
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

/** What errors say about a server. */
export interface NodeInfo {
  readonly name: string;
  /** Whether its connections use TLS. */
  readonly tls: boolean;
  /** How its last connection ended. */
  readonly lastError: { readonly reason: string; readonly error: unknown } | undefined;
}

/** By the code in a vote: the code of the error, unless it is a server's error reply. */
const VOTE_CODES = new Map<string, number>([
  ["LOCK_CONNECTION", CODE.connection],
  ["LOCK_PROTOCOL", CODE.protocol],
  ["LOCK_OVERLOADED", CODE.overloaded],
]);

/** The error to reject with. `since` is the wall clock, for a loss. */
export function toLockError(record: ErrorRecord, nodes: readonly NodeInfo[], since: number): LockError {
  const [first = "", second = ""] = record.details;
  const node = nodes[record.node] ?? allOf(nodes);
  switch (record.code) {
    case CODE.timeout:
      return new LockTimeoutError(first, record.attempts);
    case CODE.lost:
      return new LockLostError(first || "the lock is no longer held", since);
    case CODE.quorum: {
      const votes = nodes.map((_, index) => voteOf(record, nodes, index));
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
      return new InternalError(first || `the core failed with code ${record.code}`);
  }
}

/** The details of a QuorumError are its message and, for each server, its outcome and the message of its error. */
function voteOf({ details, attempts }: ErrorRecord, nodes: readonly NodeInfo[], index: number): Vote {
  const outcome = details[2 * index + 1] ?? "";
  const text = details[2 * index + 2] ?? "";
  const node = nodes[index]?.name ?? "";
  if (text === "" && (outcome === "granted" || outcome === "held")) return { node, outcome };
  const code = VOTE_CODES.get(outcome);
  const record =
    code === undefined ? { code: CODE.server, details: [outcome, text] } : { code, details: [text] };
  return { node, outcome: "failed", error: toLockError({ ...record, node: index, attempts }, nodes, 0) };
}

/** For an error that does not concern one server alone. */
function allOf(nodes: readonly NodeInfo[]): NodeInfo {
  return { name: nodes.map(({ name }) => name).join(", "), tls: false, lastError: undefined };
}

function at(node: NodeInfo, text: string): string {
  return text.includes(node.name) ? text : `${node.name}: ${text}`;
}

/** The socket's own error, if the core's text is about it. */
function causeOf(text: string, node: NodeInfo): ErrorOptions | undefined {
  const last = node.lastError;
  return last?.error != null && text.includes(last.reason) ? { cause: last.error } : undefined;
}

/** A server without TLS takes the handshake for the beginning of a command, and waits silently for the rest. */
function hint(node: NodeInfo, text: string): string {
  return node.tls && text.includes("connectTimeout")
    ? "; does the server speak TLS on this port, as rediss:// requires?"
    : "";
}
