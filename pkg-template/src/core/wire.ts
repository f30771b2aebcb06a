/**
 * The numbers that cross the boundary between TypeScript and the core. `src/wasm/wire.rs` has the same lists, and
 * `tests/js/unit/wire.test.js` compares them.
 */

/**
 * How many numbers `poll` puts before the first record: the count of all numbers, the delay in ms until `timeout` must be
 * called, or Infinity, how much is owed to the application, and 1 if calls that come one by one should be drained together,
 * else 0.
 */
export const HEAD_LENGTH = 4;

/** How many numbers a record of `poll` has; the first is its kind. */
export const RECORD_LENGTH = 10;

/** The kinds of record, each with the meaning of its other numbers. */
export const KIND = {
  /** lock, fence high, fence low, token as five u32 (0 when the caller gave it), attempts */
  granted: 1,
  /**
   * lock, then the error: code, node or -1, cause, connection, attempts, number of votes, each of which is a record, and 1
   * when the record of a reason follows
   */
  failed: 2,
  /** lock, kind of loss, 1 when the record of a reason follows; with a human-readable string */
  lost: 3,
  /** lock, outcome */
  released: 4,
  /** operation */
  extended: 5,
  /** operation, 1 when the lock is still held */
  verified: 6,
  /** operation, then the error as in `failed` */
  operationFailed: 7,
  /** node, outcome, and if that is `failed`: code, cause, connection. Follows an error */
  vote: 8,
  /** lock; the application still works under it while the client is being closed */
  closing: 9,
  /** lock. This kind and the next four come only while the application observes, with the exception of `connection` */
  contended: 10,
  /** lock, round trip in ms */
  renewed: 11,
  /** lock, number of missing servers */
  degraded: 12,
  /** node, 0 when ready, 1 when ended: the record of a reason follows. First failures are reported without observers too */
  connection: 13,
  /** lock, then the error as in `failed` */
  renewFailed: 14,
  /** 0, then the error as in `failed`. Follows what it is the reason for */
  reason: 15,
  /** connection, node; maybe one that was never added, and whose address the core knows */
  connect: 20,
  /** connection */
  close: 21,
  /** connection, address and number of the bytes to write */
  transmit: 22,
} as const;

/** The kinds from this one on ask for I/O. Their records come after all others. */
export const FIRST_IO = KIND.connect;

/** The flags of `acquire`. */
export const FLAG = { renew: 1, fair: 2, adopt: 4 } as const;

/** The codes of errors. */
export const CODE = {
  timeout: 1,
  lost: 2,
  quorum: 3,
  connection: 4,
  server: 5,
  protocol: 6,
  overloaded: 7,
  closed: 8,
  internal: 9,
} as const;

/** The causes of connection errors. */
export const CAUSE = { unknown: 0, transport: 1, connectTimeout: 2, obstacle: 3 } as const;

/** The obstacles to a connection that the next one would meet again. */
export const OBSTACLE = { permission: 1, certificate: 2 } as const;

/** The outcomes of a server's vote. */
export const VOTE = { granted: 0, held: 1, failed: 2, undecided: 3 } as const;

/** The reasons for a loss. */
export const LOSS = { expired: 1, notOurs: 2, maxHold: 3, closed: 4, gone: 5 } as const;

/** The outcomes of a release. */
export const RELEASE_OUTCOME = { released: 0, expired: 1, unknown: 2 } as const;
