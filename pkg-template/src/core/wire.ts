/** The numbers that cross the boundary between TypeScript and the core. */

/** How many numbers a record of `poll` has; the first is its kind. */
export const RECORD_LENGTH = 10;

/** The kinds of record, each with the meaning of its other numbers. */
export const KIND = {
  /** lock, fence high, fence low, token as five u32 (0 when the caller gave it) */
  granted: 1,
  /** lock, code, node, attempts, number of details */
  failed: 2,
  /** lock, reason */
  lost: 3,
  /** lock, outcome */
  released: 4,
  /** operation, lock */
  extended: 5,
  /** operation, lock, 1 when the lock is still held */
  verified: 6,
  /** operation, lock, code, node, number of details */
  operationFailed: 7,
  /** lock. This kind and the next three come only after `observe` */
  contended: 10,
  /** lock */
  renewed: 11,
  /** lock, number of missing servers */
  degraded: 12,
  /** node, 1 when ready, 0 when ended */
  connection: 13,
  /** connection, node */
  connect: 20,
  /** connection */
  close: 21,
  /** connection */
  transmit: 22,
} as const;

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
