import type { Counters, NodeFault, NodeSnapshot } from "../types/observe.js";

/**
 * The core as TypeScript sees it. The build writes the module from wasm-bindgen's output, and checks that these
 * declarations match it.
 *
 * `mono` and `wall` are the monotonic and the wall clock in ms. Ids are u32. Feed one thing, then drain everything.
 */
export interface Core {
  /**
   * Whether the records for observers come: contended, renewed, renewFailed, degraded, connection. At first only a failure
   * of the first connection to a server comes.
   */
  observe(wanted: boolean): void;
  /** The current state. */
  inspect(): CoreSnapshot;
  /**
   * Returns the node's index, from 0. Empty strings mean no user and no password. `commands`: the transport carries single
   * commands, without handshake, wake-ups or order; `independent`: what becomes of each concerns no other.
   */
  add_node(user: string, password: string, database: number, commands: boolean, independent: boolean): number;
  /**
   * The last servers that were added are seeds of one cluster. `addresses` are theirs as the cluster announces them,
   * `host:port`, one per line, in order. Comes before anything else but `add_node` and `sentinels`. Returns whether there are as
   * many servers, and all are addresses.
   */
  cluster(addresses: string): boolean;
  /**
   * The last `count` servers that were added are sentinels, which know the master by this name; the other arguments are as in
   * `add_node`, for the master. False if there are not as many servers. Comes before anything else but `add_node` and `cluster`.
   */
  sentinels(count: number, name: string, user: string, password: string, database: number): boolean;
  /**
   * The address of a server that was announced, by a cluster or a sentinel, `host:port`: an IPv6 host has no brackets, and the
   * port follows the last colon. It never changes. Empty for all other servers; but the seeds of a cluster have one.
   */
  address(node: number): string;
  /** The place among the voters of the one to which a server belongs: each server that was added, or group of them, is one. */
  voter(node: number): number;
  /**
   * The address of the room: at least `length` bytes for what `acquire` and `received` take. It holds until the next call of
   * `room`.
   */
  room(length: number): number;
  /**
   * The first `length` bytes of the room are the names of `keys` keys, then a token if the request has one, each after its
   * length in bytes as a u32, little-endian. `flags` as in FLAG. `fence` is that of a lock to adopt, or 0. Returns the lock's
   * id, negative if `early` has something to send, or 0 for an invalid request.
   */
  acquire(
    length: number,
    keys: number,
    ttl: number,
    wait: number,
    flags: number,
    maxHold: number,
    fence: bigint,
    mono: number,
    wall: number,
  ): number;
  /** The TypeError or RangeError of the acquire that was refused last. */
  refused(): Error;
  /** The application no longer wants the lock: no further record has this id. */
  cancel(lock: number, mono: number, wall: number): void;
  /** A `released` record follows once, unless `lost` has come or is about to. Returns whether `early` has something to send. */
  release(lock: number, mono: number, wall: number): boolean;
  /** Returns an operation's id; `extended` or `operationFailed` follows once. */
  extend(lock: number, ttl: number, mono: number, wall: number): number;
  /** Returns an operation's id; `verified` or `operationFailed` follows once. */
  verify(lock: number, mono: number, wall: number): number;
  /**
   * Fails what waits (`failed`), loses and releases what is held (`lost`, then `released`), and refuses later calls. The
   * locks in `occupied` stay held until they are released (`closing`).
   */
  close(occupied: Uint32Array, mono: number, wall: number): void;
  /** ms of validity left; 0 when the lock is not held. */
  remaining(lock: number, mono: number, wall: number): number;
  /** How many locks are held, waited for or being cleaned up. */
  busy(): number;
  /** How many locks owe the application something, for which the process must stay alive. */
  owed(): number;
  /** The credentials for a connection, just before `connected`, in place of those given to `add_node`. */
  log_in(conn: number, user: string, password: string): void;
  connected(conn: number, mono: number, wall: number): void;
  /** The first `length` bytes of the room have arrived. */
  received(conn: number, length: number, mono: number, wall: number): void;
  /** A connection ended, or could not be made. `reason` is short and human-readable. */
  closed(conn: number, reason: string, mono: number, wall: number): void;
  /** As `closed`, for an obstacle as in OBSTACLE, which the next connection would meet again. */
  obstructed(conn: number, obstacle: number, reason: string, mono: number, wall: number): void;
  absence(mono: number, wall: number): void;
  timeout(mono: number, wall: number): void;
  /**
   * The address of HEAD_LENGTH numbers, and then records of RECORD_LENGTH numbers. These, and the bytes whose addresses are
   * among them, hold until the next call of `poll`.
   */
  poll(mono: number, wall: number): number;
  /** As `poll`, for what is better sent at once, with the count alone in the head; 0 if there is nothing. */
  early(): number;
  /** Pops the next detail string, in record order. */
  detail(): string;
  free(): void;
}

/** The state of one server. */
export interface CoreNode extends Omit<NodeSnapshot, "node" | "fault"> {
  /** The last error; `prefix` is empty for others than error replies, and `message` may not name the server. */
  readonly fault: (Omit<NodeFault, "prefix"> & { readonly prefix: string }) | undefined;
}

/** The state of a core. */
export interface CoreSnapshot {
  /** By the node's index. */
  readonly nodes: readonly CoreNode[];
  readonly held: number;
  readonly waiting: number;
  readonly releasing: number;
  readonly counters: Counters;
}

/** One wasm instance, and the class that lives in it. */
export interface Instance {
  readonly Core: new (
    drift: number,
    retryMin: number,
    retryMax: number,
    nodeTimeout: number,
    connectTimeout: number,
    prefix: Uint8Array,
    label: string,
    replicas: number,
    sharded: boolean,
  ) => Core;
  /** The memory that both sides use. Its buffer changes when it grows. */
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Forgets a core without a call into its instance, which has trapped. */
  abandon(core: Core): void;
}

/** The name of the custom section that holds the version of a wasm. */
export declare const section: string;
/** The version of this code, which fits only a wasm of the same version. */
export declare const version: string;

/** A new instance, which shares nothing with any other: a trap in one harms no other client. */
export declare function instantiate(module: WebAssembly.Module): Instance;
