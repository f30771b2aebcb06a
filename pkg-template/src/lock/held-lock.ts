import { fenceOf, type Grant, tokenOf } from "../core/records.js";
import { type CallSite, callSite, locate } from "../errors/call-site.js";
import { LockLostError } from "../errors/errors.js";
import { parseTtl } from "../options/client.js";
import type { Request } from "../options/request.js";
import type { Lock, LockHandle } from "../types/types.js";
import { showAs } from "./shown.js";

export type ReleaseOutcome = "released" | "expired" | "unknown";

/** The acquire that the lock was granted to. */
export interface Origin {
  readonly request: Request;
  readonly site: CallSite;
}

/** The driver, as far as a lock uses it. */
export interface LockDriver {
  /** The prefix of drawn tokens; empty for none. */
  readonly label: string;
  remaining(id: number): number;
  /** A read found that a deadline has passed: the core must run soon. */
  overdue(): void;
  /** The application waits for the end of the lock. */
  watch(lock: HeldLock): void;
  wall(): number;
  mono(): number;
  extend(lock: HeldLock, ttl: number, site: CallSite): Promise<void>;
  verify(lock: HeldLock, site: CallSite): Promise<boolean>;
  release(lock: HeldLock): void;
}

/** A drawn token as it is stored on the server. */
function labelled(label: string, token: string): string {
  return label === "" ? token : `${label}/${token}`;
}

/**
 * A granted lock.
 *
 *   held --release()--> releasing --outcome--> over
 *     |                    |
 *     +------ lost --------+----> over, and the signal aborts
 */
export class HeldLock implements Lock {
  readonly id: number;
  /** When it was granted, on the monotonic clock. */
  readonly granted: number;
  readonly #driver: LockDriver;
  readonly #request: Request;
  readonly #site: CallSite;
  readonly #grant: Grant;
  #token: string | undefined;
  /** Cleared once and for all, by whichever comes first: a release, a loss, or a clock past the end of validity. */
  #held = true;
  #loss: LockLostError | undefined;
  #lossReason = "";
  /** Why the signal aborts while the lock is still held: the client is being closed. */
  #closing: LockLostError | undefined;
  #controller: AbortController | undefined;
  #released: Promise<ReleaseOutcome> | undefined;
  #resolveReleased: ((outcome: ReleaseOutcome) => void) | undefined;

  static {
    showAs(HeldLock, "Lock", ({ keys, held, remaining, fenceText: fence, fair }) => {
      return { keys, held, remaining, fence, fair };
    });
  }

  constructor(driver: LockDriver, id: number, { request, site }: Origin, grant: Grant, mono: number) {
    this.#driver = driver;
    this.id = id;
    this.granted = mono;
    this.#request = request;
    this.#site = site;
    this.#grant = grant;
    this.#token = request.token;
  }

  get keys(): readonly string[] {
    return this.#request.keys;
  }

  get token(): string {
    this.#token ??= labelled(this.#driver.label, tokenOf(this.#grant));
    return this.#token;
  }

  get fence(): bigint | null {
    return fenceOf(this.#grant);
  }

  /** The fence as JSON takes it. */
  get fenceText(): string | null {
    return this.fence?.toString() ?? null;
  }

  get fair(): boolean {
    return this.#request.fair;
  }

  get held(): boolean {
    return this.remaining > 0;
  }

  get remaining(): number {
    if (!this.#held) return 0;
    const left = this.#driver.remaining(this.id);
    if (left > 0) return left;
    this.#held = false;
    this.#driver.overdue();
    return 0;
  }

  get signal(): AbortSignal {
    // Created on first use: it costs more than the rest of the lock, and few programs look at it.
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#loss ?? this.#closing) this.announceEnd();
      else this.#driver.watch(this);
    }
    return this.#controller.signal;
  }

  async extend(ttl?: number): Promise<void> {
    const lease = parseTtl(ttl, this.#request.ttl);
    const site = callSite(HeldLock.prototype.extend);
    if (!this.held) throw this.notHeld(site);
    return this.#driver.extend(this, lease, site);
  }

  async verify(): Promise<boolean> {
    return this.held && this.#driver.verify(this, callSite(HeldLock.prototype.verify));
  }

  release(): Promise<ReleaseOutcome> {
    if (this.#released === undefined) {
      if (this.#loss !== undefined) {
        this.#released = Promise.resolve("expired");
      } else {
        // First of all: the driver may settle it at once.
        const released = this.#awaitRelease();
        this.#driver.release(this);
        return released;
      }
    }
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }

  toJSON(): LockHandle {
    return {
      keys: this.keys,
      token: this.token,
      fair: this.fair,
      fence: this.fenceText,
      ttl: this.#request.ttl,
    };
  }

  /** The loss, once there is one. */
  get loss(): LockLostError | undefined {
    return this.#loss;
  }

  /** For the driver: the error of an operation on a lock that is not held. */
  notHeld(site: CallSite): LockLostError {
    if (this.#loss !== undefined) {
      return this.#error(this.#lossReason, site, this.#loss.since, this.#loss.cause);
    }
    const reason = this.#released === undefined ? "its validity has ended" : "it has been released";
    return this.#error(`the lock is no longer held: ${reason}`, site, this.#driver.wall());
  }

  /** For the driver: the core releases the lock by itself; `settleRelease` reports it. */
  beginRelease(): void {
    // The application may have called `release` after `close`, before it heard of the loss.
    if (this.#released === undefined) void this.#awaitRelease();
  }

  #awaitRelease(): Promise<ReleaseOutcome> {
    this.#held = false;
    this.#released = new Promise((resolve) => {
      this.#resolveReleased = resolve;
    });
    return this.#released;
  }

  /** For the driver: the client is being closed, and the lock stays held until its release. `announceEnd` follows. */
  close(cause: Error): void {
    const message = "the client is being closed; the lock is held until the body of using ends";
    this.#closing = this.#error(message, this.#site, this.#driver.wall(), cause);
  }

  /** For the driver: marks the lock as lost. `announceEnd` then aborts the signal. */
  lose(message: string, cause?: Error): LockLostError {
    this.#held = false;
    if (this.#loss === undefined) {
      this.#lossReason = message;
      this.#loss = this.#error(message, this.#site, this.#driver.wall(), cause);
    }
    return this.#loss;
  }

  /** For the driver: aborts the signal. This runs the application's listeners, so only call it when that does no harm. */
  announceEnd(): void {
    try {
      this.#controller?.abort(this.#loss ?? this.#closing);
    } catch {
      // In workerd, a signal that was made in another request cannot be aborted from this one.
    }
  }

  /** For the driver: settles a release. False when none was waiting: only the first outcome counts. */
  settleRelease(outcome: ReleaseOutcome): boolean {
    if (this.#resolveReleased === undefined) return false;
    this.#resolveReleased(outcome);
    this.#resolveReleased = undefined;
    return true;
  }
  #error(message: string, site: CallSite, since: number, cause?: unknown): LockLostError {
    return locate(new LockLostError(message, since, { cause, keys: this.keys }), site);
  }
}
