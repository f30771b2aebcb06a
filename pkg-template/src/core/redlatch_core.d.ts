import type { Counters, NodeSnapshot } from "../types/observe.js";

/**
 * The core as TypeScript sees it. The build writes the module from wasm-bindgen's output, and checks that these
 * declarations agree with it.
 *
 * `mono` and `wall` are the monotonic and the wall clock in ms. Ids are u32. Feed one thing, then drain everything.
 */
export interface Core {
  /** To be called before all else if the records for watching are wanted: CONTENDED, RENEWED, DEGRADED, CONNECTION. */
  observe(): void;
  /** The state at this moment. */
  inspect(): CoreSnapshot;
  /**
   * Returns the node's index, from 0. Empty strings for no user, no password. `commands`: it is reached by single commands,
   * without handshake, messages or order.
   */
  add_node(user: string, password: string, database: number, commands: boolean): number;
  /**
   * `keys` concatenated, with the bytes of each in `lengths` (empty for one key). Returns the lock's id, never 0.
   * `flags` as in FLAG. Throws a TypeError for a request that is not in order.
   */
  acquire(
    keys: Uint8Array,
    lengths: Uint32Array,
    token: Uint8Array,
    ttl: number,
    wait: number,
    flags: number,
    maxHold: number,
    mono: number,
    wall: number,
  ): number;
  /** The application no longer wants the lock: no further event for this id. */
  cancel(lock: number, mono: number, wall: number): void;
  /** RELEASED follows once, unless LOST has come or is about to. */
  release(lock: number, mono: number, wall: number): void;
  /** Returns an operation's id; EXTENDED or OP_FAILED follows once. */
  extend(lock: number, ttl: number, mono: number, wall: number): number;
  /** Returns an operation's id; VERIFIED or OP_FAILED follows once. */
  verify(lock: number, mono: number, wall: number): number;
  /** ms of validity left; 0 when none. */
  remaining(lock: number, mono: number, wall: number): number;
  /** Locks and background clean-ups still alive. */
  busy(): number;
  connected(conn: number, mono: number, wall: number): void;
  received(conn: number, bytes: Uint8Array, mono: number, wall: number): void;
  /** Also for a dial that failed. `reason`: short human text. */
  closed(conn: number, reason: string, mono: number, wall: number): void;
  timeout(mono: number, wall: number): void;
  /** ms until `timeout` wants to be called, or Infinity; then records of `STRIDE` numbers. */
  poll(mono: number, wall: number): Float64Array;
  /** Bytes to write now. */
  transmit(conn: number): Uint8Array;
  /** Pops the next detail string, in record order. */
  detail(): string;
  free(): void;
}

/** What a core tells of itself. */
export interface CoreSnapshot {
  /** By the node's index. */
  readonly nodes: readonly Omit<NodeSnapshot, "node">[];
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
  ) => Core;
  /** Forgets a core without a call into its instance, which has trapped. */
  abandon(core: Core): void;
}

/** The custom section of the wasm that has its version. */
export declare const section: string;
/** The version of this code; a wasm of another would be called wrongly. */
export declare const version: string;

/** A new instance, of which nothing is shared with any other: what traps in one hurts no other client. */
export declare function instantiate(module: WebAssembly.Module): Instance;
