import type { LockLostError } from "../errors/errors.js";

/** An event in a client, for logs and metrics. It never contains a token. */
export type LockEvent =
  /** Another owner held the lock at the first attempt: the acquire waits, or fails if `wait` is 0. */
  | { readonly type: "contended"; readonly keys: readonly string[] }
  /** A lock was granted, re-entered or adopted. */
  | { readonly type: "acquired"; readonly keys: readonly string[]; readonly fence: bigint | null }
  /** A lease was renewed automatically. */
  | { readonly type: "renewed"; readonly keys: readonly string[] }
  /** A majority agreed, but `missing` servers could not be asked. */
  | { readonly type: "degraded"; readonly keys: readonly string[]; readonly missing: number }
  /** A lock was lost: its signal has aborted with `error`. */
  | {
      readonly type: "lost";
      readonly keys: readonly string[];
      readonly fence: bigint | null;
      readonly error: LockLostError;
    }
  /** A release has ended, with the same outcome as its promise. */
  | {
      readonly type: "released";
      readonly keys: readonly string[];
      readonly fence: bigint | null;
      readonly outcome: "released" | "expired" | "unknown";
    }
  /**
   * The connection to a server is ready for use, or has ended, or could not be made. `node` is host:port or the path of the
   * socket.
   */
  | { readonly type: "connection"; readonly node: string; readonly state: "ready" | "ended" };

/** The state of a client at one moment, as plain data without credentials or tokens. */
export interface ClientSnapshot {
  /** The servers, in the order of `nodes`. */
  readonly nodes: readonly NodeSnapshot[];
  /** The locks that are held. A re-entered lock appears once for each entry. */
  readonly locks: readonly LockSnapshot[];
  /** The acquires that have not settled yet. */
  readonly waiters: readonly WaiterSnapshot[];
  /** How many locks are being released or cleaned up. */
  readonly releasing: number;
  /** Counters since the first use, or since the core last failed with LOCK_INTERNAL. */
  readonly counters: Counters;
}

/** The state of one server. */
export interface NodeSnapshot {
  /** host:port, or the path of the socket. */
  readonly node: string;
  /** The state of the connection; commands can be sent when it is `"ready"`. */
  readonly state: "down" | "connecting" | "ready";
  /** How many commands are waiting for their replies. */
  readonly pending: number;
  /** Whether the server wakes waiters when it is their turn (RESP3). If not, they poll. */
  readonly wakes: boolean;
}

/** A lock that is held. */
export interface LockSnapshot {
  /** As {@link Lock.keys}. */
  readonly keys: readonly string[];
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
  /** The fencing token in decimal, because JSON has no bigint; `null` for Redlock. */
  readonly fence: string | null;
  /** Validity left in ms, with fractions. */
  readonly remaining: number;
}

/** An acquire that has not settled yet. */
export interface WaiterSnapshot {
  /** The keys that it waits for, without prefix and duplicates. */
  readonly keys: readonly string[];
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
}

/** How often each thing happened. */
export interface Counters {
  /** Attempts to acquire a lock, each counted once, however many servers were asked. */
  readonly attempts: number;
  /** Acquires that found the lock held at the first attempt. */
  readonly contended: number;
  /** Grants. */
  readonly acquired: number;
  /** Automatic renewals. */
  readonly renewed: number;
  /** Lost locks. */
  readonly lost: number;
  /** Releases that the servers confirmed. */
  readonly released: number;
  /** Replies to commands. */
  readonly roundTrips: number;
  /** Connections that became ready, not counting the first to each server. */
  readonly reconnects: number;
}
