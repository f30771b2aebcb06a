/**
 * The public types of clusters.
 */
import type { TlsOptions } from "./transport.js";

/** A Redis Cluster, in {@link ClientOptions.cluster}. */
export interface ClusterOptions {
  /**
   * The URLs of some of its servers, as in {@link ClientOptions.url}: at least one, each listed once, all with the same user,
   * password, database and TLS. The client learns of the other servers from them, and returns to them when it finds no other.
   */
  seeds: readonly (string | undefined)[];
  /** Where servers are to be reached that the cluster announces under addresses of its own network. */
  natMap?: NatMap | undefined;
  /**
   * Which hosts may be connected to because the cluster names them, after `natMap`. By default: the seeds' hosts and those in
   * a table `natMap`; names under the parent domain of a seed's; the IP addresses of this machine, if a seed is on it too; and
   * other IP addresses over TLS with the name of a seed, in private ranges with `allowPlaintextAuth`, or without credentials.
   */
  allow?: HostPolicy | undefined;
  /** TLS settings for all its servers; those of the client by default. Only with `rediss://` URLs. */
  tls?: TlsOptions | undefined;
  /**
   * Whether wake-ups are published on shard channels (SPUBLISH, Redis 7 or later); false by default. The cluster sends such a
   * message to the servers of one shard, and any other one to all its servers. Users need `+ssubscribe +sunsubscribe +spublish`
   * too, and those of other clients that hold the same locks `+spublish`: otherwise waiters poll.
   */
  sharded?: boolean | undefined;
}

/**
 * A table from announced to reachable addresses, or a function that returns the reachable one, or undefined to leave it as it
 * is. Addresses are `host:port`, with an IPv6 host in brackets. The function is called for each new connection.
 */
export type NatMap = Readonly<Record<string, string>> | ((address: string) => string | undefined);

/** A list of host names and IP addresses, or a function that is called for each new connection; IPv6 without brackets. */
export type HostPolicy = readonly string[] | ((host: string, port: number) => boolean);
