// What holds for all locks and clients, whatever the topology.

/** How long a server may take to answer, unless a topology says otherwise, and a connection to stand, ms. */
export const NODE_TIMEOUT = 200;
export const CONNECT_TIMEOUT = 1_000;
/** What fence counters and waiters' keys begin with, which outlive the locks. */
export const DERIVED = "lock:redlatch:";
