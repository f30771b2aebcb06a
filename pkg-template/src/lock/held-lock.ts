import { fenceOf, type Grant, tokenOf } from "../core/records.js";
import { LockLostError } from "../errors/errors.js";
import { parseTtl } from "../options/client.js";
import type { Request } from "../options/request.js";
import type { Lock, LockHandle } from "../types/types.js";

export type ReleaseOutcome = "released" | "expired" | "unknown";

/** What a lock asks of its driver. */
export interface LockDriver {
  remaining(id: number): number;
  /** A deadline was seen to have passed: the core is to act on it soon. */
  overdue(): void;
  wall(): number;
  extend(lock: HeldLock, ttl: number): Promise<void>;
  verify(lock: HeldLock): Promise<boolean>;
  release(lock: HeldLock): void;
}

/**
 * A granted lock.
 *
 *   held --release()--> releasing --the core's word--> over
 *     |                    |
 *     +------ lost --------+----> over, and the signal aborts
 */
export class HeldLock implements Lock {
  readonly id: number;
  readonly #driver: LockDriver;
  readonly #request: Request;
  readonly #grant: Grant;
  readonly #knownFence: bigint | null;
  #token: string | undefined;
  /** Cleared once and for ever, by whatever is seen first: a release, a loss, or a clock past the validity. */
  #held = true;
  #lost: LockLostError | undefined;
  #aborts: AbortController | undefined;
  #released: Promise<ReleaseOutcome> | undefined;
  #resolveReleased: ((outcome: ReleaseOutcome) => void) | undefined;

  /** `knownFence` counts when the core knows of none. */
  constructor(driver: LockDriver, id: number, request: Request, grant: Grant, knownFence: bigint | null) {
    this.#driver = driver;
    this.id = id;
    this.#request = request;
    this.#grant = grant;
    this.#knownFence = knownFence;
    this.#token = request.token;
  }

  get keys(): readonly string[] {
    return this.#request.keys;
  }

  get token(): string {
    this.#token ??= tokenOf(this.#grant);
    return this.#token;
  }

  get fence(): bigint | null {
    return fenceOf(this.#grant) ?? this.#knownFence;
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
    // Made when asked for: it costs more than all the rest of a lock, and few look at it.
    if (this.#aborts === undefined) {
      this.#aborts = new AbortController();
      if (this.#lost !== undefined) this.#aborts.abort(this.#lost);
    }
    return this.#aborts.signal;
  }

  async extend(ttl?: number): Promise<void> {
    const lease = parseTtl(ttl, this.#request.ttl);
    if (!this.held) throw this.#notHeld();
    return this.#driver.extend(this, lease);
  }

  async verify(): Promise<boolean> {
    return this.held && this.#driver.verify(this);
  }

  release(): Promise<ReleaseOutcome> {
    if (this.#released === undefined) {
      if (this.#lost !== undefined) {
        this.#released = Promise.resolve("expired");
      } else {
        this.#held = false;
        this.#released = new Promise((resolve) => {
          this.#resolveReleased = resolve;
        });
        this.#driver.release(this);
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
      fence: this.fence?.toString() ?? null,
      ttl: this.#request.ttl,
    };
  }

  /** For the driver: the loss, once there is one. */
  get loss(): LockLostError | undefined {
    return this.#lost;
  }

  /** For the driver: whether its holder has let go of it. */
  get letGo(): boolean {
    return this.#released !== undefined;
  }

  /** For the driver: no longer ours. The signal's listeners hear of it by `announceLoss`. */
  lose(message: string, cause?: Error): LockLostError {
    this.#held = false;
    this.#lost ??= new LockLostError(message, this.#driver.wall(), cause && { cause });
    return this.#lost;
  }

  /** For the driver: runs the application's listeners, so at a moment when that does no harm. */
  announceLoss(): void {
    this.#aborts?.abort(this.#lost);
  }

  /** For the driver: the outcome of a release. False when none was waiting for it: the first outcome counts. */
  settleRelease(outcome: ReleaseOutcome): boolean {
    if (this.#resolveReleased === undefined) return false;
    this.#resolveReleased(outcome);
    this.#resolveReleased = undefined;
    return true;
  }

  #notHeld(): LockLostError {
    if (this.#lost !== undefined) return this.#lost;
    const why = this.#released === undefined ? "its validity has ended" : "it has been released";
    return new LockLostError(`the lock is no longer ours: ${why}`, this.#driver.wall());
  }
}
