import type { LockLostError } from "../errors/errors.js";

/** What happens in a client, for logs and metrics; never with a token. */
export type LockEvent =
  /** Another held the lock at the first attempt: the acquire waits, or has failed if it would not wait. */
  | { readonly type: "contended"; readonly keys: readonly string[] }
  /** A lock was granted, entered again, or adopted. */
  | { readonly type: "acquired"; readonly keys: readonly string[]; readonly fence: bigint | null }
  /** A lease was renewed by itself. */
  | { readonly type: "renewed"; readonly keys: readonly string[] }
  /** A majority agreed, but `missing` of the servers could not be asked. */
  | { readonly type: "degraded"; readonly keys: readonly string[]; readonly missing: number }
  /** A lock was lost: its signal has aborted with `error`. */
  | {
      readonly type: "lost";
      readonly keys: readonly string[];
      readonly fence: bigint | null;
      readonly error: LockLostError;
    }
  /** A release is over, as its promise tells. */
  | {
      readonly type: "released";
      readonly keys: readonly string[];
      readonly fence: bigint | null;
      readonly outcome: "released" | "expired" | "unknown";
    }
  /**
   * The connection to a server is ready to be used, or has ended or could not be made. `node` is host:port or the path
   * of the socket.
   */
  | { readonly type: "connection"; readonly node: string; readonly state: "ready" | "ended" };

/** The state of a client at one moment, as plain data without credentials and tokens. */
export interface ClientSnapshot {
  /** The servers, in the order in which they were given. */
  readonly nodes: readonly NodeSnapshot[];
  /** The locks that are held. One that was entered again counts each time. */
  readonly locks: readonly LockSnapshot[];
  /** The acquires that wait for their outcome. */
  readonly waiters: readonly WaiterSnapshot[];
  /** How many locks are being released or cleaned up after. */
  readonly releasing: number;
  /** What was done since the first use, or since the core last failed with LOCK_INTERNAL. */
  readonly counters: Counters;
}

/** The state of one server. */
export interface NodeSnapshot {
  /** host:port, or the path of the socket. */
  readonly node: string;
  /** Whether commands can be sent to it now. */
  readonly state: "down" | "connecting" | "ready";
  /** How many commands wait for their replies. */
  readonly pending: number;
  /** Whether it tells waiters when it is their turn (RESP3). If not, they ask from time to time. */
  readonly wakes: boolean;
}

/** A lock that is held. */
export interface LockSnapshot {
  /** As {@link Lock.keys}. */
  readonly keys: readonly string[];
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
  /** The fencing token in decimal, for JSON has no bigint; `null` for Redlock. */
  readonly fence: string | null;
  /** Validity left in ms, with fractions. */
  readonly remaining: number;
}

/** An acquire that waits. */
export interface WaiterSnapshot {
  /** The keys that it waits for, without prefix and duplicates. */
  readonly keys: readonly string[];
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
}

/** How often something was done. */
export interface Counters {
  /** Servers were asked for a lock: once per attempt, however many servers there are. */
  readonly attempts: number;
  /** A lock was not free at the first attempt. */
  readonly contended: number;
  /** A lock was granted. */
  readonly acquired: number;
  /** A lease was renewed by itself. */
  readonly renewed: number;
  /** A lock was lost. */
  readonly lost: number;
  /** A lock was released, as the servers confirmed. */
  readonly released: number;
  /** A command was answered. */
  readonly roundTrips: number;
  /** A connection became ready that was not the first to its server. */
  readonly reconnects: number;
}
