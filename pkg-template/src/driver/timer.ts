import type { Clock } from "../types/types.js";

/** Timers take at most 31 bits of ms and fire at once beyond. Being early is harmless: the driver arms again. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/** Deadlines nearer than this are one: re-computing a deadline must not arm the timer again. */
const TOLERANCE = 0.1;

/**
 * The one timer of a client. It is moved only forward in time's direction, that is to an earlier deadline; one that has
 * become too early fires for nothing, which is cheaper than moving it with every command.
 */
export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #handle: unknown;
  #due = Number.POSITIVE_INFINITY;
  #keepsAlive = true;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Wants to ring `delay` ms after `now`, at the latest; Infinity for no wish. */
  set(now: number, delay: number): void {
    if (!(now + delay < this.#due - TOLERANCE)) return;
    this.clear();
    this.#due = now + delay;
    this.#handle = this.#clock.setTimeout(
      () => {
        this.#due = Number.POSITIVE_INFINITY;
        this.#handle = undefined;
        this.#ring();
      },
      Math.min(Math.ceil(Math.max(delay, 0)), LONGEST_DELAY),
    );
    this.#apply();
  }

  /** Whether the process must not end before the alarm has rung. */
  keepAlive(wanted: boolean): void {
    if (this.#keepsAlive === wanted) return;
    this.#keepsAlive = wanted;
    this.#apply();
  }

  clear(): void {
    if (this.#handle !== undefined) this.#clock.clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#due = Number.POSITIVE_INFINITY;
  }

  #apply(): void {
    // Browsers' timers are numbers and know neither.
    const handle = this.#handle as { ref?(): void; unref?(): void } | number | undefined;
    if (typeof handle !== "object") return;
    if (this.#keepsAlive) handle.ref?.();
    else handle.unref?.();
  }
}
