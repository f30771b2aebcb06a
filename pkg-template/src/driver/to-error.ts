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
  /** Whether it is a server of a cluster whose redirections the client follows. */
  readonly cluster: boolean;
  /** The error that ended its last connection, and the number of that connection. */
  readonly lastError: { readonly connection: number; readonly error: unknown } | undefined;
}

/** A client's servers. */
export interface NodeList {
  /** By the core's index; undefined for none. */
  at(index: number): NodeInfo | undefined;
  /** The names of those in the client's options. */
  readonly names: string;
}

/** The error with which a call is rejected. `since` is the wall clock, for a loss. */
export function toLockError(
  record: ErrorRecord,
  nodes: NodeList,
  since: number,
  { keys, site }: Call,
): LockError {
  return locate(errorOf(record, nodes, since, keys), site);
}

/** An error that no call rejects with: a cause, or the error in a vote. */
export function nestedError(
  record: ErrorRecord | undefined,
  nodes: NodeList,
  since: number,
  keys: readonly string[],
): LockError | undefined {
  return record && toLockError(record, nodes, since, { keys, site: NOWHERE });
}

function errorOf(record: ErrorRecord, nodes: NodeList, since: number, keys: readonly string[]): LockError {
  const { code, attempts, prefix, message } = record;
  const cause = nestedError(record.reason, nodes, since, keys);
  const node = nodes.at(record.node) ?? allOf(nodes);
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
      return new ServerError(`${node.name}: ${remedied(message, node, keys)}`, node.name, prefix, { keys });
    case CODE.protocol:
      return new ProtocolError(`${node.name}: ${message}`, node.name, { keys });
    case CODE.overloaded:
      return new OverloadedError(message, { keys });
    case CODE.closed:
      return new ClosedError(message, { keys });
    default:
      return new InternalError(message, { keys });
  }
}

/** An error reply with what to do about it, where its own text does not say so. */
function remedied(message: string, { transport, cluster }: NodeInfo, keys: readonly string[]): string {
  const own = cluster ? OWN_CONNECTION : [...OWN_CONNECTION, ...ONE_SERVER];
  const remedies = transport.carrier === "commands" ? OTHER_CLIENT : own;
  const found = [...(keys.length > 1 ? SEVERAL_KEYS : []), ...remedies, ...ANY_CONNECTION].find(([begin]) =>
    message.startsWith(begin),
  );
  return found === undefined ? message : `${message.replace(/\.$/, "")}; ${found[1]}`;
}

type Remedies = readonly (readonly [begin: string, remedy: string])[];

const SEVERAL_KEYS: Remedies = [
  [
    "CROSSSLOT",
    "in a cluster, all keys of one lock need the same hash tag, such as `{order:7}:stock` and `{order:7}:payment`",
  ],
];
const OWN_CONNECTION: Remedies = [
  ["NOAUTH", "give the password in the URL (redis://:password@host), or by `credentials`"],
  ["WRONGPASS", "check user and password, and percent-encode the special characters in a URL"],
  ["ERR DB index is out of range", "the server has no such database: change the number in the URL"],
];
/** Of a client that follows no redirections. */
const ONE_SERVER: Remedies = ["MOVED ", "ASK "].map((begin) => [
  begin,
  "the server is one of a cluster: give its URL as `cluster: [url]`",
]);
const OTHER_CLIENT: Remedies = [
  // A prefix before the hash tag of a derived key moves it out of its lock's slot.
  [
    "CROSSSLOT",
    "does the client behind fromCommand put a key prefix of its own before the keys? Remove it there, and set `prefix` here",
  ],
  ["NOAUTH", "log in with the client behind the transport"],
];
const ANY_CONNECTION: Remedies = [
  ["WRONGTYPE", "the key holds something that is no lock: use another key, or another `prefix`"],
];

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
    if (own instanceof LoginFailure)
      return withholdCause(new ConnectionError(message, node.name, { cause: own.cause, keys }));
    return new ConnectionError(message + remedyOf(message), node.name, { cause: own, keys });
  }
  const hint = cause !== CAUSE.connectTimeout ? "" : node.asking ? UNSETTLED : node.tls ? SILENT : "";
  const text = message.includes(node.name) ? message : `${node.name}: ${message}`;
  return new ConnectionError(text + (hint || remedyOf(message)), node.name, { keys });
}

/** Of a unix socket that does not exist, the system says ENOENT. */
const remedyOf = (message: string) => (/\b(ECONNREFUSED|connect ENOENT)\b/.test(message) ? UNSERVED : "");

const UNSERVED = "; is a server running there?";
const UNSETTLED = "; the promise of the credentials function has not settled";
/** A server without TLS takes the handshake for the beginning of a command, and waits silently for the rest. */
const SILENT = "; does the server speak TLS on this port, as rediss:// requires?";

const OUTCOMES: readonly Vote["outcome"][] = ["granted", "held", "failed", "undecided"];

function voteOf({ node, outcome, error }: VoteRecord, nodes: NodeList, keys: readonly string[]): Vote {
  const name = nodes.at(node)?.name ?? "";
  const failure = nestedError(error, nodes, 0, keys);
  if (failure !== undefined) return { node: name, outcome: "failed", error: failure };
  return { node: name, outcome: OUTCOMES[outcome] ?? "undecided" };
}

/** The error of a call from one request while another request uses the client: see CurrentRequest. */
export function otherRequest(nodes: NodeList, { keys, site }: Call): ConnectionError {
  return locate(new ConnectionError(ELSEWHERE, nodes.names, { keys }), site);
}

const ELSEWHERE =
  "another request uses this client, and in this runtime I/O belongs to the request that began it; call createClient in each request, or keep the client in a Durable Object";

/** All servers as one, for an error that concerns more than one. */
function allOf(nodes: NodeList): NodeInfo {
  return {
    name: nodes.names,
    transport: {},
    asking: false,
    tls: false,
    cluster: false,
    lastError: undefined,
  };
}
