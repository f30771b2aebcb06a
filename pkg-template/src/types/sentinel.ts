/**
 * The public types of a master behind Redis Sentinel.
 */
import type { HostPolicy, NatMap } from "./cluster.js";
import type { TlsOptions } from "./transport.js";

/** A master and its sentinels, in {@link ClientOptions.sentinel}. */
export interface SentinelOptions {
  /** The name under which the sentinels monitor the master. */
  name: string;
  /**
   * The URLs of all sentinels, as in {@link ClientOptions.url}, each listed once; the port is 26379 by default. User and password
   * are those of the sentinels, which may differ from the master's.
   */
  sentinels: readonly (string | undefined)[];
  /**
   * How to log in to the master, as a URL without a host: `redis://user:password@/database`, or `rediss://...` if the master
   * speaks TLS. Without it there are no credentials, the database is 0, and TLS is used if the sentinels use it.
   */
  url?: string | undefined;
  /** Where servers are to be reached that the sentinels name by addresses of their own network. */
  natMap?: NatMap | undefined;
  /** Which hosts may be connected to because a sentinel names them, as in a cluster, with the sentinels as seeds. */
  allow?: HostPolicy | undefined;
  /** TLS settings for the master and the sentinels; those of the client by default. Only with `rediss://` URLs. */
  tls?: TlsOptions | undefined;
}
