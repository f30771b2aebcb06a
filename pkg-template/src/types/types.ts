/// <reference lib="esnext.disposable" preserve="true" />
/**
 * The public types. All durations are integer milliseconds unless said otherwise.
 */

import type { ClientSnapshot, LockEvent } from "./observe.js";

/** Options of {@link createClient}. Unknown options are refused. */
export interface ClientOptions {
  /**
   * The server: `redis://[user:password@]host[:port][/database]`, `rediss://...` for TLS, or a unix socket as
   * `unix:///path[?db=0]` (also `redis+unix:` or just `/path`). User and password are percent-decoded; an IPv6 host
   * goes in brackets. The port is 6379 by default. Required, unless `transport` is given.
   */
  url?: string;
  /** TLS to the server, or to all `nodes` that have no `tls` of their own. Only with `rediss:` URLs. */
  tls?: TlsOptions;
  /**
   * Allows a password to be sent to a server other than on this machine without TLS, where the network between is
   * trusted. False by default: createClient throws a TypeError rather than show the password to everybody on the way.
   */
  allowPlaintextAuth?: boolean;
  /**
   * The servers, as an alternative to `url`: at least one, each once. With two or more, which must be independent of
   * each other (no replicas), every lock of this client is a Redlock: held when a majority has granted it.
   */
  nodes?: (string | NodeOptions)[];
  /**
   * Opens the connections; by default the runtime's own sockets. Where there are none, as in browsers, it is required:
   * see {@link fromWebSocket}, {@link fromRest} and {@link fromCommand}.
   */
  transport?: Transport;
  /** Put before every key, `"lock:"` by default; `""` to share keys with other libraries. */
  prefix?: string;
  /** Default lease: ms, integer, at least 100; 30 000 by default. */
  ttl?: number;
  /** Default longest wait: ms, integer, 0 or more, or `Infinity`; 10 000 by default. */
  wait?: number;
  /** Bounds of the random pause between two attempts: ms, integers, `1 <= min <= max`; 50 and 250 by default. */
  retry?: { min?: number; max?: number };
  /** Clock-rate error allowed for, as a share of ttl: 0 to 0.5, 0.01 by default. Another 2 ms are added. */
  drift?: number;
  /** How long each server may take to answer: ms, integer, at least 1. By default 5 % of ttl, between 20 ms and 1 s. */
  nodeTimeout?: number;
  /** How long opening a connection may take: ms, integer, at least 1; 5 000 by default. */
  connectTimeout?: number;
  /**
   * Is told what happens, for logs and metrics; see {@link LockEvent}. Called from within the client's work, once its
   * promises are settled and its losses announced: be quick. What it throws is swallowed.
   */
  observe?: (event: LockEvent) => void;
  /** Time for this client; by default the runtime's own. */
  clock?: Clock;
}

/** One server in {@link ClientOptions.nodes}. */
export interface NodeOptions {
  /** As {@link ClientOptions.url}. Required, unless `transport` is given. */
  url?: string;
  /** As {@link ClientOptions.tls}, for this server. */
  tls?: TlsOptions;
  /** As {@link ClientOptions.transport}, for this server: another client, or another REST endpoint, for each. */
  transport?: Transport;
}

/**
 * How a server proves who it is, and how we do. Its certificate is always verified: for the runtime's own authorities
 * and the URL's host, unless said otherwise here. Texts are in PEM.
 */
export interface TlsOptions {
  /** The certificate authorities to trust in place of the runtime's own. */
  ca?: string | readonly string[];
  /** Our certificate, where the server wants one; with `key`. */
  cert?: string;
  /** The private key of `cert`, without a passphrase. */
  key?: string;
  /** The name that the server's certificate is for, where it is not the URL's host. */
  servername?: string;
}

/** Makes and keeps locks. Connects on first use. */
export interface LockClient extends AsyncDisposable {
  /**
   * Takes the lock, waiting for it up to `wait`. With several keys all are taken or none.
   *
   * With a `token` under which this client already holds the same keys (and as fair or not), the lock is entered again:
   * the server is asked whether it is still ours, the lease is shared, and only the last release frees it.
   *
   * Rejects with LockTimeoutError when others held it all the time, with QuorumError when too few of several servers
   * could be asked, with another LockError when the one server could not be asked, with `signal.reason` when aborted,
   * and with TypeError or RangeError for bad options.
   */
  acquire(key: string | readonly string[], options?: AcquireOptions): Promise<Lock>;
  /**
   * One attempt: `null` when another holds it, and nothing is left behind. `wait` is not looked at. Otherwise it rejects
   * as {@link acquire} does.
   */
  tryAcquire(key: string | readonly string[], options?: AcquireOptions): Promise<Lock | null>;
  /**
   * Takes the lock, runs `body`, releases the lock, and settles as `body` did. The lock is renewed meanwhile unless
   * `renew` is false. If it is lost while `body` runs, `lock.signal` says so; the outcome is still `body`'s. Rejects as {@link acquire} does
   * when the lock cannot be had; `body` is not called then.
   */
  using<T>(
    key: string | readonly string[],
    options: AcquireOptions,
    body: (lock: Lock) => T | Promise<T>,
  ): Promise<T>;
  using<T>(key: string | readonly string[], body: (lock: Lock) => T | Promise<T>): Promise<T>;
  /**
   * Takes over a lock that another client, or another process, has acquired: `handle` is what the lock's `toJSON()`
   * made, JSON or not, and the prefix of this client must be the same. The lease is extended to `ttl`, by default the
   * handle's, and belongs to both from then on: let the first holder neither renew nor release it any more. `token` and
   * `fair` are the handle's; the other options are as in `acquire`.
   *
   * Rejects with LockLostError when the lock is no longer held under that token, with TypeError for a bad handle, and
   * else as `acquire` does.
   */
  adopt(handle: LockHandle, options?: AcquireOptions): Promise<Lock>;
  /**
   * The state at this moment: servers, locks, waiters and counters. After `close` the counters are the last ones. Sends
   * nothing. Throws InternalError when the core has failed over it.
   */
  inspect(): ClientSnapshot;
  /**
   * Refuses new calls and pending ones (ClosedError), releases what is held (whose signals abort with LockLostError, for
   * their holders did not let go), finishes clean-up for at most `timeout`
   * ms (integer, 0 or more; 5 000 by default), then closes the sockets. Never rejects for a server's sake; idempotent.
   */
  close(options?: { timeout?: number }): Promise<void>;
}

/** Options of one acquisition. Unknown options are refused. */
export interface AcquireOptions {
  /** The lease: ms, integer, at least 100. The client's `ttl` by default. */
  ttl?: number;
  /** Longest wait: ms, integer, 0 (one attempt) or more, or `Infinity`. The client's `wait` by default. */
  wait?: number;
  /**
   * Strict FIFO by arrival at the server. False by default. Refused with a TypeError by a client of several servers,
   * which have no common order of arrival. Whoever locks the same keys without it is excluded all the same, but may
   * overtake.
   */
  fair?: boolean;
  /** Renew at a third of `ttl` until released. False by default, true in `using`. */
  renew?: boolean;
  /** Give the lock up (it is then lost) after this long: ms, integer, at least 1, or `Infinity`, the default. */
  maxHold?: number;
  /**
   * The owner's token, not empty; by default 160 fresh random bits per acquisition. The same one enters again what this
   * client already holds under it. Who knows it can release the lock.
   */
  token?: string;
  /** Abort rejects with `signal.reason`, and cleans up in the background. */
  signal?: AbortSignal;
}

/** A lock that was granted. */
export interface Lock extends AsyncDisposable {
  /** The locked keys, without prefix and duplicates, in the order given. */
  readonly keys: readonly string[];
  /** The owner's token. */
  readonly token: string;
  /**
   * Fencing token: larger than that of every earlier grant of these keys, and the same when entered again or adopted.
   * `null` for Redlock, where no order of grants could be sound.
   */
  readonly fence: bigint | null;
  /** Whether the lock is surely ours now. Computed from the clock at each read. */
  readonly held: boolean;
  /** Validity left in ms, with fractions; 0 when none. */
  readonly remaining: number;
  /**
   * Aborts with LockLostError when the lock is lost, before its validity ends, and when the client is closed while the
   * lock is held. A release does not abort it. A process that was stopped just then may find it aborted at first sight:
   * look at `signal.aborted` before you add a listener, or hand it to what does so, such as `fetch`.
   */
  readonly signal: AbortSignal;
  /**
   * Extends the lease to at least `ttl` ms from now (integer, at least 100; by default as acquired). It is never
   * shortened, and a renewal goes on with the `ttl` that the lock was acquired with. Rejects with LockLostError when the
   * lock is no longer ours or has been released, with another LockError when the servers could not be asked (the lease
   * is then as it was), and with TypeError or RangeError for a bad `ttl`.
   */
  extend(ttl?: number): Promise<void>;
  /**
   * Asks the servers whether the lock is still ours; false at once when it is known not to be. Rejects with a LockError
   * when they could not be asked.
   */
  verify(): Promise<boolean>;
  /**
   * Gives the lock back; when it was entered again, only the last release does. Idempotent, and never rejects: `"released"`, or `"expired"` when it was no longer ours, or
   * `"unknown"` when no server answered (it then ends with its lease at the latest).
   */
  release(): Promise<"released" | "expired" | "unknown">;
  /** Plain data that stands for this lock. It holds the token: treat it as a secret. */
  toJSON(): LockHandle;
}

/** A lock as plain data, for {@link LockClient.adopt}. */
export interface LockHandle {
  /** As {@link Lock.keys}. */
  readonly keys: readonly string[];
  /** The owner's token, which is what makes it a secret. */
  readonly token: string;
  /** As {@link AcquireOptions.fair}. */
  readonly fair: boolean;
  /** The fencing token in decimal, for JSON has no bigint; `null` for Redlock. */
  readonly fence: string | null;
  /** The lease the lock was acquired with, ms. */
  readonly ttl: number;
}

/** Pluggable socket: bytes in, bytes out. */
export interface Transport {
  /**
   * What it carries. `"stream"`, the default: a byte stream of the client's own, on which it logs in, gets messages, and
   * relies on commands being run in the order in which they were sent. `"commands"`: commands that run one by one on a
   * session that is somebody else's, and may overtake each other; waiters poll then.
   */
  readonly carrier?: "stream" | "commands";
  /** Whether a password may be sent over it (there). By default, that is so with TLS and on this machine. */
  readonly secure?: boolean | ((address: Address) => boolean);
  /**
   * Whether it sends credentials of its own, such as a token in a URL; they are refused like a password where it is not
   * `secure`. By default, it does if it carries commands.
   */
  readonly credentials?: boolean | ((address: Address) => boolean);
  /** What errors call the server when no URL is given. Only for a transport that leads to one server, whatever the address. */
  readonly name?: string;
  /** Says why it cannot serve an address as it is wanted, if so: createClient then throws a TypeError with that text. */
  refuses?(address: Address): string | undefined;
  /**
   * Opens a connection; the promise resolves when bytes can be written and rejects when that fails. When `signal`
   * aborts, the connection is no longer wanted: drop it. After `close` has been called nothing else counts.
   */
  connect(
    address: Address,
    handler: { data(chunk: Uint8Array): void; close(error?: unknown): void },
    signal: AbortSignal,
  ): Promise<Connection>;
}

/** An open connection. */
export interface Connection {
  /** Queues bytes for sending. They are not changed afterwards. */
  write(bytes: Uint8Array): void;
  /** Drops the connection at once. */
  close(): void;
}

/** Where a server listens. Credentials are not part of it. */
export interface Address {
  /** Host name or IP address (IPv6 without brackets); `""` for a unix socket. */
  readonly host: string;
  /** 1 to 65535; 0 for a unix socket. */
  readonly port: number;
  /** Whether to speak TLS, and to verify the server's certificate. */
  readonly tls: boolean;
  /** How to verify the server, and what to show to it; empty for the defaults. */
  readonly tlsOptions: TlsOptions;
  /** Path of the unix socket, or `null`. */
  readonly path: string | null;
}

/** Where a client takes time and timers from. */
export interface Clock {
  /** Monotonic time in ms, with fractions if there are any. */
  now(): number;
  /** Wall-clock time in ms since 1970. It may jump. */
  wall(): number;
  /** Calls `callback` once after `delay` ms; being early is harmless. */
  setTimeout(callback: () => void, delay: number): unknown;
  /** Takes back what `setTimeout` returned `handle` for; harmless when that is over. */
  clearTimeout(handle: unknown): void;
}
