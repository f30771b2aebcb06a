import type { ErrorRecord, VoteRecord } from "../core/records.js";
import { CAUSE, CODE, VOTE } from "../core/wire.js";
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
  /** The error that ended its last connection, and the number of that connection. */
  readonly lastError: { readonly connection: number; readonly error: unknown } | undefined;
}

/** The error to reject with. `since` is the wall clock, for a loss. */
export function toLockError(record: ErrorRecord, nodes: readonly NodeInfo[], since: number): LockError {
  const { code, attempts, prefix, message } = record;
  const node = nodes[record.node] ?? allOf(nodes);
  const located = `${node.name}: ${message}`;
  switch (code) {
    case CODE.timeout:
      return new LockTimeoutError(message, attempts);
    case CODE.lost:
      return new LockLostError(message, since);
    case CODE.quorum: {
      const votes = record.votes.map((vote) => voteOf(vote, nodes));
      const cause = votes.find(({ error }) => error !== undefined)?.error;
      return new QuorumError(message, votes, cause && { cause });
    }
    case CODE.connection:
      return connectionError(record, node);
    case CODE.server:
      return new ServerError(located, node.name, prefix);
    case CODE.protocol:
      return new ProtocolError(located, node.name);
    case CODE.overloaded:
      return new OverloadedError(message);
    case CODE.closed:
      return new ClosedError(message);
    default:
      return new InternalError(message);
  }
}

function connectionError({ cause, connection, message }: ErrorRecord, node: NodeInfo): ConnectionError {
  // The transport's own message names the server already.
  if (cause === CAUSE.transport) {
    const last = node.lastError;
    const own = last?.connection === connection && last.error != null ? { cause: last.error } : undefined;
    return new ConnectionError(message, node.name, own);
  }
  const hint = cause === CAUSE.connectTimeout && node.tls ? SILENT : "";
  return new ConnectionError(`${node.name}: ${message}${hint}`, node.name);
}

/** A server without TLS takes the handshake for the beginning of a command, and waits silently for the rest. */
const SILENT = "; does the server speak TLS on this port, as rediss:// requires?";

function voteOf({ node, outcome, error }: VoteRecord, nodes: readonly NodeInfo[]): Vote {
  const name = nodes[node]?.name ?? "";
  if (error !== undefined) return { node: name, outcome: "failed", error: toLockError(error, nodes, 0) };
  return { node: name, outcome: outcome === VOTE.granted ? "granted" : "held" };
}

/** For an error that does not concern one server alone. */
function allOf(nodes: readonly NodeInfo[]): NodeInfo {
  return { name: nodes.map(({ name }) => name).join(", "), tls: false, lastError: undefined };
}
