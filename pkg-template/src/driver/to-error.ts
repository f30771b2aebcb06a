import type { ErrorRecord, VoteRecord } from "../core/records.js";
import { CAUSE, CODE } from "../core/wire.js";
import { type Call, locate, NOWHERE } from "../errors/call-site.js";
import { withholdCause } from "../errors/data.js";
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
import type { Transport } from "../types/transport.js";
import { LoginFailure } from "./login.js";

/** What errors say about a server. */
export interface NodeInfo {
  readonly name: string;
  readonly transport: Pick<Transport, "carrier">;
  /** Whether the application was asked for credentials and has not answered. */
  readonly asking: boolean;
  /** Whether its connections use TLS. */
  readonly tls: boolean;
  /** The error that ended its last connection, and the number of that connection. */
  readonly lastError: { readonly connection: number; readonly error: unknown } | undefined;
}

/** The error with which a call is rejected. `since` is the wall clock, for a loss. */
export function toLockError(
  record: ErrorRecord,
  nodes: readonly NodeInfo[],
  since: number,
  { keys, site }: Call,
): LockError {
  return locate(errorOf(record, nodes, since, keys), site);
}

/** An error that no call rejects with: a cause, or the error in a vote. */
export function nestedError(
  record: ErrorRecord | undefined,
  nodes: readonly NodeInfo[],
  since: number,
  keys: readonly string[],
): LockError | undefined {
  return record && toLockError(record, nodes, since, { keys, site: NOWHERE });
}

function errorOf(
  record: ErrorRecord,
  nodes: readonly NodeInfo[],
  since: number,
  keys: readonly string[],
): LockError {
  const { code, attempts, prefix, message } = record;
  const cause = nestedError(record.reason, nodes, since, keys);
  const node = nodes[record.node] ?? allOf(nodes);
  const located = `${node.name}: ${message}`;
  switch (code) {
    case CODE.timeout:
      return new LockTimeoutError(message, attempts, { cause, keys });
    case CODE.lost:
      return new LockLostError(message, since, { cause, keys });
    case CODE.quorum: {
      const votes = record.votes.map((vote) => voteOf(vote, nodes, keys));
      const blamed = record.votes.findIndex((vote) => vote.node === record.reason?.node);
      return new QuorumError(message, votes, { cause: votes[blamed]?.error, keys });
    }
    case CODE.connection:
      return connectionError(record, node, keys);
    case CODE.server:
      return new ServerError(located + hintFor(prefix, node), node.name, prefix, { keys });
    case CODE.protocol:
      return new ProtocolError(located, node.name, { keys });
    case CODE.overloaded:
      return new OverloadedError(message, { keys });
    case CODE.closed:
      return new ClosedError(message, { keys });
    default:
      return new InternalError(message, { keys });
  }
}

/** A prefix before the hash tag of a derived key moves it out of its lock's slot. */
function hintFor(prefix: string, { transport }: NodeInfo): string {
  return prefix === "CROSSSLOT" && transport.carrier === "commands"
    ? "; does the client behind fromCommand put a key prefix of its own before the keys? Remove it there, and set `prefix` here"
    : "";
}

/** An error of the whole client, as one of its calls rejects with it. */
export function errorForCall(error: ClosedError | InternalError, { keys, site }: Call): LockError {
  const { message, cause } = error;
  const Type = error instanceof InternalError ? InternalError : ClosedError;
  return locate(new Type(message, { cause, keys }), site);
}

function connectionError(
  { cause, connection, message }: ErrorRecord,
  node: NodeInfo,
  keys: readonly string[],
): ConnectionError {
  // The transport's own message names the server already.
  if (cause === CAUSE.transport || cause === CAUSE.obstacle) {
    const last = node.lastError;
    const own = last?.connection === connection ? (last.error ?? undefined) : undefined;
    if (!(own instanceof LoginFailure)) return new ConnectionError(message, node.name, { cause: own, keys });
    return withholdCause(new ConnectionError(message, node.name, { cause: own.cause, keys }));
  }
  const hint = cause !== CAUSE.connectTimeout ? "" : node.asking ? UNSETTLED : node.tls ? SILENT : "";
  return new ConnectionError(`${node.name}: ${message}${hint}`, node.name, { keys });
}

const UNSETTLED = "; the promise of the credentials function has not settled";
/** A server without TLS takes the handshake for the beginning of a command, and waits silently for the rest. */
const SILENT = "; does the server speak TLS on this port, as rediss:// requires?";

const OUTCOMES: readonly Vote["outcome"][] = ["granted", "held", "failed", "undecided"];

function voteOf(
  { node, outcome, error }: VoteRecord,
  nodes: readonly NodeInfo[],
  keys: readonly string[],
): Vote {
  const name = nodes[node]?.name ?? "";
  const failure = nestedError(error, nodes, 0, keys);
  if (failure !== undefined) return { node: name, outcome: "failed", error: failure };
  return { node: name, outcome: OUTCOMES[outcome] ?? "undecided" };
}

/** The error of a call from one request while another request uses the client: see CurrentRequest. */
export function otherRequest(nodes: readonly NodeInfo[], { keys, site }: Call): ConnectionError {
  return locate(new ConnectionError(ELSEWHERE, allOf(nodes).name, { keys }), site);
}

const ELSEWHERE =
  "another request uses this client, and in this runtime I/O belongs to the request that began it; call createClient in each request, or keep the client in a Durable Object";

/** All servers as one, for an error that concerns more than one. */
function allOf(nodes: readonly NodeInfo[]): NodeInfo {
  return {
    name: nodes.map(({ name }) => name).join(", "),
    transport: {},
    asking: false,
    tls: false,
    lastError: undefined,
  };
}
