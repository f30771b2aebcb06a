/** The public types of `redlatch/memory`. */
import type { Transport } from "./types.js";

/** Options of {@link createMemoryServer}. Unknown options are refused. */
export interface MemoryServerOptions {
  /**
   * The server's wall clock: ms since 1970; by default `Date.now`, as it is when it is asked. Leases on the server end by it.
   * It may leap. Where it throws or returns anything else, connections end with a TypeError as the cause.
   */
  now?: () => number;
}

/** A Redis in memory. */
export interface MemoryServer {
  /**
   * Leads to this server, whatever the URL says. Any number of clients may use it: they share the keys, and wake each
   * other. Their round trips take no turn of the event loop, so that timers get none in a loop that awaits nothing else.
   */
  readonly transport: Transport;
  /** The keys that live now, by database and name. */
  keys(): MemoryKey[];
  /** Forgets all keys of all databases, as FLUSHALL does. Nobody is told: holders find out when they next ask. */
  flush(): void;
}

/** A key of a {@link MemoryServer}, as plain data. */
export interface MemoryKey {
  /** The number of the database that it is in: 0, where the URL names no other. */
  readonly database: number;
  /** Its name, prefix and all. */
  readonly key: string;
  /** A string, or the members of a sorted set with their scores, in order. */
  readonly value: string | [member: string, score: number][];
  /** When it expires, in ms since 1970; it lives to the end of that millisecond. `null` for never. */
  readonly expiry: number | null;
}
