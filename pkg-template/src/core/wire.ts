/** Numbers per record of `poll`; the first is the kind. */
export const STRIDE = 10;

/** The kinds of record, each with what the other numbers are. */
export const KIND = {
  /** lock, fence high, fence low, token as five u32 (0 when the caller gave it) */
  granted: 1,
  /** lock, code, node, attempts, details, wait */
  failed: 2,
  /** lock, why */
  lost: 3,
  /** lock, outcome */
  released: 4,
  /** operation, lock */
  extended: 5,
  /** operation, lock, 1 when ours */
  verified: 6,
  /** operation, lock, code, node, details */
  operationFailed: 7,
  /** lock. This and the next three only after `observe` */
  contended: 10,
  /** lock */
  renewed: 11,
  /** lock, servers missing */
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

/** The codes of failures. */
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
