import type { ErrorData } from "../errors/data.js";
import type { LockErrorCode } from "../errors/errors.js";

/**
 * An event in a client, for logs and metrics: plain data for JSON, without passwords or tokens. Durations are in ms,
 * with fractions. A `fence` is a decimal string, `null` for Redlock.
 */
export type LockEvent =
  /** Another owner held the lock at the first attempt. The acquire now waits; if its `wait` is 0, it fails. */
  | { readonly type: "contended"; readonly keys: readonly string[] }
  /** A lock was acquired, re-entered or adopted, after `waited` ms and `attempts` attempts. */
  | {
      readonly type: "acquired";
      readonly keys: readonly string[];
      readonly fence: string | null;
      readonly waited: number;
      readonly attempts: number;
    }
  /** Others held the lock for all of an acquire's `wait`. A single attempt (`wait: 0`) never times out. */
  | {
      readonly type: "timed-out";
      readonly keys: readonly string[];
      readonly waited: number;
      readonly attempts: number;
    }
  /** A lease was renewed automatically; `rtt` is how long the servers took to answer, in ms. */
  | { readonly type: "renewed"; readonly keys: readonly string[]; readonly rtt: number }
  /** An automatic renewal failed. It is retried until the lease ends; the last such error is then the cause of the loss. */
  | { readonly type: "renew-failed"; readonly keys: readonly string[]; readonly error: ErrorData }
  /** A majority granted or extended a Redlock, but `missing` servers could not be reached or failed. */
  | { readonly type: "degraded"; readonly keys: readonly string[]; readonly missing: number }
  /**
   * A lock was lost after `held` ms: its signal has aborted with a LockLostError; `error` is that error as data. A release that
   * finds the lock gone is a loss too.
   */
  | {
      readonly type: "lost";
      readonly keys: readonly string[];
      readonly fence: string | null;
      readonly held: number;
      readonly error: ErrorData;
    }
  /**
   * A release has ended `held` ms after the grant, with the same outcome as its promise; `"expired"` comes right after
   * the `lost` event, unless that came when the client was closed. A lock that is lost before its release has only the
   * `lost` event.
   */
  | {
      readonly type: "released";
      readonly keys: readonly string[];
      readonly fence: string | null;
      readonly held: number;
      readonly outcome: "released" | "expired" | "unknown";
    }
  /** The connection to a server is ready for use. `node` is host:port or the path of the socket. */
  | { readonly type: "connection"; readonly node: string; readonly state: "ready" }
  /** The connection to a server has ended, or could not be made: `reason` is the message, `error` the whole error as data. */
  | {
      readonly type: "connection";
      readonly node: string;
      readonly state: "ended";
      readonly reason: string;
      readonly error: ErrorData;
    };

/** The state of a client at one moment, as plain data without credentials or tokens. */
export interface ClientSnapshot {
  /**
   * The servers, in the order of `nodes`; or a cluster's seeds, or the sentinels, and after them the servers that the client has
   * learnt of.
   */
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
  /** host:port as in the URL, or as it was announced, or the path of the socket. */
  readonly node: string;
  /**
   * The state of the connection. `"idle"`: there is none, because nothing needs it; the next command connects. `"ready"`:
   * commands can be sent. `"down"`: the last attempt to connect failed, or the connection broke. `"closed"`: the client is closed.
   */
  readonly state: "idle" | "connecting" | "ready" | "down" | "closed";
  /** How many commands are waiting for their replies. */
  readonly pending: number;
  /** Whether the server wakes waiters when it is their turn (RESP3). If not, waiters poll. */
  readonly wakes: boolean;
  /** The last error of this server, which may have passed long ago; `null` if there was none. */
  readonly fault: NodeFault | null;
}

/** An error of a server: an error reply, or the end of a connection. */
export interface NodeFault {
  /** As `code` of a LockError. */
  readonly code: LockErrorCode;
  /** The first word of an error reply (NOAUTH, READONLY, ...); absent for other errors. */
  readonly prefix?: string;
  /** The message, for people. */
  readonly message: string;
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
  /** Locks acquired or adopted. */
  readonly acquired: number;
  /** Automatic renewals that succeeded. */
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
