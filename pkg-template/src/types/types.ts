/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public types of clients and locks. All durations are integer milliseconds unless stated otherwise.
 */

import type { ClusterOptions } from "./cluster.js";
import type { ClientSnapshot, LockEvent } from "./observe.js";
import type { SentinelOptions } from "./sentinel.js";
import type { TlsOptions, Transport } from "./transport.js";

/** Options of {@link createClient}. Unknown options are refused. */
export interface ClientOptions {
  /**
   * The server: `redis://[user:password@]host[:port][/database]`, `rediss://...` for TLS (`valkey://` and `valkeys://` are
   * the same), or a unix socket as `unix:///path[?db=0]` (also `redis+unix:` or just `/path`). User and password are
   * percent-decoded; an IPv6 host goes in brackets. The port is 6379 by default. `redis+cluster://user:password@a:6379,b:6379`
   * and `rediss+cluster://...` are short for a `cluster` of these servers, and
   * `redis+sentinel://user:password@a:26379,b:26379/database?name=mymaster` and `rediss+sentinel://...` for a `sentinel`
   * option (`&sentinelUser=...&sentinelPassword=...` for the sentinels' own credentials). Required, unless `transport` is
   * given. If it is undefined or empty because an environment variable is not set, the client is created all the same, and
   * its calls reject with a TypeError that says so.
   */
  url?: string | undefined;
  /** TLS settings for the server, or for all `nodes` that have no `tls` of their own. Only with `rediss://` URLs. */
  tls?: TlsOptions | undefined;
  /**
   * Called for each new connection, and returns the credentials that replace those in the URL: for tokens that expire after
   * minutes. It may be async; `connectTimeout` counts from the call. What it throws becomes the `cause` of a ConnectionError.
   */
  credentials?: (() => Credentials | Promise<Credentials>) | undefined;
  /**
   * Allows a password to be sent without TLS to a server that is not on this machine, for trusted networks. False by
   * default: createClient throws a TypeError rather than expose the password on the network.
   */
  allowPlaintextAuth?: boolean | undefined;
  /**
   * The servers, as an alternative to `url`: at least one, each listed once. With two or more, which must be independent
   * (no replicas of each other), every lock of this client is a Redlock: it is held when a majority has granted it. In place of
   * a server, a whole cluster or a master behind sentinels may have one of the votes.
   */
  nodes?: readonly (string | NodeOptions | undefined)[] | undefined;
  /**
   * A Redis Cluster, as an alternative to `url` and `nodes`: the URLs of some of its servers, or {@link ClusterOptions}. The
   * client learns from them which server has which keys, and follows the cluster's redirections. The keys of one lock are best
   * in one slot, by the same hash tag; keys in several slots are taken slot by slot, in a round trip each.
   */
  cluster?: readonly (string | undefined)[] | ClusterOptions | undefined;
  /**
   * A master behind sentinels, as an alternative to `url`, `nodes` and `cluster`. The client asks the sentinels for the master,
   * and turns to another one as soon as a sentinel announces that it was replaced.
   */
  sentinel?: SentinelOptions | undefined;
  /**
   * Opens the connections; the runtime's own sockets by default. Required where the runtime has none, as in browsers: see
   * {@link fromWebSocket}, {@link fromRest} and {@link fromCommand}.
   */
  transport?: Transport | undefined;
  /** The prefix of every key and channel, `"lock:"` by default; `""` to share keys with other libraries. */
  prefix?: string | undefined;
  /**
   * A name for this client, for people who look at the server: at most 64 characters of printable ASCII, none by default.
   * Random tokens are then `label/hex`, so that `redis-cli get lock:invoice:42` shows who holds the lock. It is not a secret.
   */
  label?: string | undefined;
  /** Default lease: ms, integer, at least 100. By default 10 000 for locks that are renewed, and 30 000 for others. */
  ttl?: number | undefined;
  /**
   * Default longest wait: ms, integer, 0 or more, or `Infinity`; 15 000 by default. That is longer than the default
   * lease of a renewed lock, so a waiter outlasts the lease of a dead holder. Stalls of the event loop do not count.
   */
  wait?: number | undefined;
  /**
   * Bounds of the random pause between two attempts of a waiter that polls: ms, integers, `1 <= min <= max`; 50 and 250 by
   * default. A waiter that gets wake-ups pauses for one to four times `max`.
   */
  retry?: { min?: number | undefined; max?: number | undefined } | undefined;
  /** How far the rates of two clocks may differ, as a share of ttl: 0 to 0.5, 0.01 (1 %) by default. 2 ms are added. */
  drift?: number | undefined;
  /**
   * How long each server may take to answer: ms, integer, at least 1. By default a quarter of ttl, between 100 ms and 2 s, with
   * one server, and 5 % of ttl, between 20 ms and 1 s, with several. A server may always take as long as three round trips, up
   * to `connectTimeout`. With one server, a connection that is silent for longer counts as dead, and its unanswered commands are
   * sent once more on a new one. With several, an acquire goes on without that server; an extension or a verification waits
   * for it while the lock is valid. Stalls of the event loop do not count.
   */
  nodeTimeout?: number | undefined;
  /** How long opening a connection may take: ms, integer, at least 1; 5 000 by default. */
  connectTimeout?: number | undefined;
  /**
   * How many replicas of each server must have a grant or an extension before it counts: an integer from 0 to 1 000, 0 by
   * default. The server is asked with WAIT, behind the lock's command, and its replicas may take as long as `nodeTimeout`. With
   * fewer, an attempt fails with ServerError NOREPLICAS and is repeated within `wait`; an extension leaves the lease as it was.
   * With the number of all replicas, a replica that takes over has every lock; with fewer, a loss is only less likely. Not
   * over the connection of another client, nor over REST.
   */
  replicas?: number | undefined;
  /**
   * Receives events, for logs and metrics; see {@link LockEvent}. It is called in the middle of the client's work,
   * after promises have settled and losses have been announced, so it must be quick. What it throws becomes a process
   * warning, once. More observers may be added with {@link LockClient.observe}. While there is none, the failure of the
   * first connection to a server becomes a process warning.
   */
  observe?: ((event: LockEvent) => void) | undefined;
  /**
   * The clocks and timers of this client. By default the runtime's own, as they were when the package was loaded: fake timers
   * that a test installs later stop neither leases nor renewals. Fake timers that were installed before control them.
   */
  clock?: Clock | undefined;
}

/** How to log in to a server. */
export interface Credentials {
  /** The ACL user; the default user if it is omitted or empty. */
  username?: string | undefined;
  /** The password or token; empty for none. */
  password: string;
}

/** One vote in {@link ClientOptions.nodes}: a server, a cluster, or a master behind sentinels. */
export interface NodeOptions {
  /** As {@link ClientOptions.url}. Required, unless `cluster`, `sentinel` or `transport` is given. */
  url?: string | undefined;
  /**
   * As {@link ClientOptions.cluster}, in place of `url`: the cluster has one vote. All keys of a lock must be in one slot. No
   * server may belong to two votes: the client does not connect to a server of another one, and of two that turn out to be
   * the same cluster, or to have the same master, it refuses the later one with ServerError SAMESERVERS.
   */
  cluster?: ClientOptions["cluster"];
  /** As {@link ClientOptions.sentinel}, in place of `url`: the master has one vote. */
  sentinel?: SentinelOptions | undefined;
  /** As {@link ClientOptions.tls}, for this server or group. */
  tls?: TlsOptions | undefined;
  /** As {@link ClientOptions.transport}, for this server or group, such as its own client or its own REST endpoint. */
  transport?: Transport | undefined;
}

/**
 * Makes and keeps locks. Connects on first use. Pending calls, held locks that are renewed or whose `signal` was read, and a
 * `close` in progress keep the process alive. An open connection alone does not, except where the transport has no means to
 * tell the runtime so, as over a WebSocket.
 */
export interface LockClient extends AsyncDisposable {
  /**
   * Takes the lock, waiting up to `wait` for it. With several keys, at most 1 000, it takes all of them or none. In a cluster
   * they may be in at most 64 slots.
   *
   * With a `token` under which this client already holds the same keys (with the same `fair`), it re-enters the lock: the
   * server confirms that the lock is still held, the lease is shared, and only the last release frees the lock.
   *
   * Rejects with LockTimeoutError when `wait` is over and nothing has failed: others hold the lock, or distant servers
   * have not answered yet. Rejects with QuorumError when too few of several servers could be asked, with another
   * LockError when a single server failed or refused, with `signal.reason` when aborted, and with TypeError or
   * RangeError for bad options.
   */
  acquire(key: string | readonly string[], options?: AcquireOptions): Promise<Lock>;
  /**
   * Like {@link acquire}, but resolves to `null`, and leaves nothing behind, where {@link acquire} rejects with
   * LockTimeoutError. `wait` is 0 by default, whatever the client's `wait`: one attempt, until it is answered.
   */
  tryAcquire(key: string | readonly string[], options?: AcquireOptions): Promise<Lock | null>;
  /**
   * Takes the lock, runs `body`, releases the lock, and settles as `body` did. The lock is renewed while `body` runs unless
   * `renew` is false. If the lock is lost meanwhile, `lock.signal` aborts, and a body that returns nevertheless makes `using`
   * reject with LockLostError, whose `result` is what it returned. An error of the body always wins. When the lock is not
   * acquired, rejects as {@link acquire} does and never calls `body`.
   */
  using<T>(
    key: string | readonly string[],
    options: AcquireOptions,
    body: (lock: Lock) => T | Promise<T>,
  ): Promise<T>;
  using<T>(key: string | readonly string[], body: (lock: Lock) => T | Promise<T>): Promise<T>;
  /**
   * Takes over a lock that another client, or another process, has acquired: `handle` is the result of the lock's `toJSON()`,
   * possibly sent as JSON, and this client must have the same prefix. The lease is extended to `ttl`, the handle's by
   * default. From then on the lock belongs to this client: the other may believe in it until its own lease ends, but its
   * release, its loss or its exit does not free the lock. `token` and `fair` come from the handle; the other options are as in
   * `acquire`.
   *
   * Rejects with LockLostError when the lock is no longer held under that token, with TypeError for a bad handle, and
   * otherwise as `acquire` does.
   */
  adopt(handle: LockHandle, options?: AcquireOptions): Promise<Lock>;
  /**
   * Adds an observer, as the option `observe` does; returns a function that removes it. Earlier events are not repeated.
   * Throws a TypeError when `fn` is not a function.
   */
  observe(fn: (event: LockEvent) => void): () => void;
  /**
   * The current state: servers, locks, waiters and counters. After `close` the counters keep their last values. Sends
   * nothing. Throws InternalError when the core fails.
   */
  inspect(): ClientSnapshot;
  /**
   * Rejects new and pending calls with ClosedError, and aborts the signals of held locks with LockLostError. Locks from
   * `acquire` are released at once. A lock under which the body of a `using` runs stays held and renewed until the body ends,
   * and is then released. All that takes at most `timeout` ms (integer, 0 or more; 5 000 by default); then a body that still
   * runs keeps its lock until the lease ends, and the connections are closed. A server that cannot be reached is dialled once
   * more, and then not waited for. Never rejects because of a server; idempotent. Do not await it in a body of `using`: it
   * waits for that body.
   */
  close(options?: { timeout?: number | undefined }): Promise<void>;
}

/** Options of one acquisition. Unknown options are refused. */
export interface AcquireOptions {
  /**
   * The lease: ms, integer, at least 100. The client's `ttl` by default; if that is not given either, 10 000 with `renew` and
   * 30 000 without.
   */
  ttl?: number | undefined;
  /**
   * Longest wait: ms, integer, 0 (one attempt) or more, or `Infinity`. The client's `wait` by default, 0 in `tryAcquire`.
   */
  wait?: number | undefined;
  /**
   * Strict FIFO by arrival at the server. False by default. Over several servers, or several slots of a cluster, it is refused
   * with a TypeError, because they share no order of arrival. An acquire of the same keys without `fair` is still excluded,
   * but may overtake.
   */
  fair?: boolean | undefined;
  /** Extends the lease whenever a third of `ttl` has passed, until the release. False by default, true in `using`. */
  renew?: boolean | undefined;
  /** The longest time to hold the lock; after it, the lock is lost: ms, integer, at least 1, or `Infinity`, the default. */
  maxHold?: number | undefined;
  /**
   * The owner's token, not empty; by default 160 fresh random bits per acquisition, after the client's `label`. The same token
   * re-enters a lock that this client already holds under it. Anyone who knows the token can release the lock. With several
   * servers, or keys in several slots of a cluster, an acquire with a token of yours stops waiting once only some have granted.
   */
  token?: string | undefined;
  /** When it aborts before the lock is acquired, the call rejects with `signal.reason`, and cleans up in the background. */
  signal?: AbortSignal | undefined;
}

/** A granted lock. */
export interface Lock extends AsyncDisposable {
  /** The locked keys, without prefix and duplicates, in the order given. */
  readonly keys: readonly string[];
  /** The owner's token. */
  readonly token: string;
  /**
   * The fencing token: larger than that of every earlier grant of these keys, and the same after re-entry and adoption.
   * `null` for Redlock, where no order of grants could be sound.
   */
  readonly fence: bigint | null;
  /** Whether the lock is certainly held now. Computed from the clock at each read. */
  readonly held: boolean;
  /** The validity left in ms, with fractions; 0 when none. */
  readonly remaining: number;
  /**
   * Aborts with LockLostError when the lock is lost, before its validity ends, and when the client is closed while the
   * lock is held. A release does not abort it, unless it finds the lock gone. It may already be aborted when you first read
   * it, for example after the process was suspended: check `signal.aborted` before you add a listener, or pass it to an API
   * that does, such as `fetch`.
   */
  readonly signal: AbortSignal;
  /**
   * Extends the lease to at least `ttl` ms from now (integer, at least 100; by default that of the acquire). It never shortens the
   * lease, and renewals keep using the `ttl` of the acquire. Rejects with LockLostError when the lock is no longer held or
   * has been released, with another LockError when the servers could not be asked (the lease is then unchanged), and with
   * TypeError or RangeError for a bad `ttl`.
   */
  extend(ttl?: number): Promise<void>;
  /**
   * Asks the servers whether the lock is still held; false at once when it is known to be lost. The question is a write
   * that changes nothing, so a replica cannot answer it. Rejects with a LockError when the servers could not be asked.
   */
  verify(): Promise<boolean>;
  /**
   * Releases the lock; after re-entry, only the last release frees it. Idempotent, and never rejects: resolves to
   * `"released"`, to `"expired"` when the lock was no longer held, or to `"unknown"` when neither was confirmed within
   * 1 s plus twice `nodeTimeout` (or twice three round trips, if these take longer). `"unknown"` means that too few
   * servers answered, and the lock ends with its lease at the latest; or that the release was sent again because a
   * connection had died, and found nothing, so the first one may have freed the lock.
   */
  release(): Promise<"released" | "expired" | "unknown">;
  /** Plain data that represents this lock. It contains the token: treat it as a secret. */
  toJSON(): LockHandle;
}

/** A lock as plain data, for {@link LockClient.adopt}. */
export interface LockHandle {
  /** As {@link Lock.keys}. */
  readonly keys: readonly string[];
  /** The owner's token, which makes the handle a secret. */
  readonly token: string;
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
  /** The fencing token in decimal, because JSON has no bigint; `null` for Redlock. */
  readonly fence: string | null;
  /** The lease that the lock was acquired with, ms. */
  readonly ttl: number;
}

/** A client's source of time and timers. */
export interface Clock {
  /** Monotonic time in ms, with fractions if there are any. */
  now(): number;
  /** Wall-clock time in ms since 1970. It may jump. */
  wall(): number;
  /** Calls `callback` once after `delay` ms; a call that comes early is harmless. */
  setTimeout(callback: () => void, delay: number): unknown;
  /** Cancels the call for which `setTimeout` returned `handle`; harmless when it has run. */
  clearTimeout(handle: unknown): void;
}
