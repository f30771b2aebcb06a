import { fenceOf, type Grant, tokenOf } from "../core/records.js";
import { LockLostError } from "../errors/errors.js";
import { parseTtl } from "../options/client.js";
import type { Request } from "../options/request.js";
import type { Lock, LockHandle } from "../types/types.js";

export type ReleaseOutcome = "released" | "expired" | "unknown";

/** The driver, as far as a lock uses it. */
export interface LockDriver {
  remaining(id: number): number;
  /** A read found that a deadline has passed: the core must run soon. */
  overdue(): void;
  wall(): number;
  extend(lock: HeldLock, ttl: number): Promise<void>;
  verify(lock: HeldLock): Promise<boolean>;
  release(lock: HeldLock): void;
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
  readonly #driver: LockDriver;
  readonly #request: Request;
  readonly #grant: Grant;
  #token: string | undefined;
  /** Cleared once and for ever, by the first of a release, a loss, and a clock past the validity. */
  #held = true;
  #loss: LockLostError | undefined;
  #controller: AbortController | undefined;
  #released: Promise<ReleaseOutcome> | undefined;
  #resolveReleased: ((outcome: ReleaseOutcome) => void) | undefined;

  constructor(driver: LockDriver, id: number, request: Request, grant: Grant) {
    this.#driver = driver;
    this.id = id;
    this.#request = request;
    this.#grant = grant;
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
    return fenceOf(this.#grant);
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
      if (this.#loss !== undefined) this.#controller.abort(this.#loss);
    }
    return this.#controller.signal;
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
      fence: this.fence?.toString() ?? null,
      ttl: this.#request.ttl,
    };
  }

  /** For the driver: the loss, once there is one. */
  get loss(): LockLostError | undefined {
    return this.#loss;
  }

  /** For the driver: the core releases the lock by itself; `settleRelease` reports it. False if a release waits already. */
  beginRelease(): boolean {
    if (this.#released !== undefined) return false;
    void this.#awaitRelease();
    return true;
  }

  #awaitRelease(): Promise<ReleaseOutcome> {
    this.#held = false;
    this.#released = new Promise((resolve) => {
      this.#resolveReleased = resolve;
    });
    return this.#released;
  }

  /** For the driver: marks the lock as lost. `announceLoss` then aborts the signal. */
  lose(message: string, cause?: Error): LockLostError {
    this.#held = false;
    this.#loss ??= new LockLostError(message, this.#driver.wall(), cause && { cause });
    return this.#loss;
  }

  /** For the driver: aborts the signal. This runs the application's listeners, so only call it when that does no harm. */
  announceLoss(): void {
    this.#controller?.abort(this.#loss);
  }

  /** For the driver: settles a release. False when none was waiting: only the first outcome counts. */
  settleRelease(outcome: ReleaseOutcome): boolean {
    if (this.#resolveReleased === undefined) return false;
    this.#resolveReleased(outcome);
    this.#resolveReleased = undefined;
    return true;
  }

  #notHeld(): LockLostError {
    if (this.#loss !== undefined) return this.#loss;
    const reason = this.#released === undefined ? "its validity has ended" : "it has been released";
    return new LockLostError(`the lock is no longer held: ${reason}`, this.#driver.wall());
  }
}
