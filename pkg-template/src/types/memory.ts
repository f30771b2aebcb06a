/** The public types of `redlatch/memory`. */
import type { Transport } from "./transport.js";

/** Options of {@link createMemoryServer}. Unknown options are refused. */
export interface MemoryServerOptions {
  /**
   * The server's wall clock: ms since 1970; by default the runtime's, as it was when the package was loaded. It decides
   * when leases end on the server, and it may jump. If it throws, or returns anything but a number, connections end
   * with its error, or a TypeError, as the cause.
   */
  now?: (() => number) | undefined;
}

/** A Redis in memory. */
export interface MemoryServer {
  /**
   * A transport to this server, whatever the URL. Any number of clients may use it: they share the keys, and wake each
   * other. A round trip takes no turn of the event loop, so timers do not fire in a loop that awaits nothing but locks.
   */
  readonly transport: Transport;
  /** The keys that exist now, by database and name. */
  keys(): MemoryKey[];
  /** Deletes all keys of all databases, as FLUSHALL does. Holders notice with their next command. */
  flush(): void;
}

/** A key of a {@link MemoryServer}, as plain data. */
export interface MemoryKey {
  /** The number of the database: 0 unless the URL names another. */
  readonly database: number;
  /** The name, including the prefix. */
  readonly key: string;
  /** A string, or the members of a sorted set with their scores, in order of score. */
  readonly value: string | [member: string, score: number][];
  /** When the key expires, in ms since 1970: at the end of that millisecond. `null` for never. */
  readonly expiry: number | null;
}
