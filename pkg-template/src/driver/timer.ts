import { keepAlive } from "../options/clock.js";
import type { Clock } from "../types/types.js";

/** Runtimes keep delays in 31 bits of ms and fire at once beyond. Firing early is harmless: the driver sets the timer again. */
export const LONGEST_DELAY = 2 ** 31 - 1;

/** Deadlines closer together than this, in ms, count as one: recomputing a deadline must not restart the timer. */
const TOLERANCE = 0.1;

/**
 * The one timer of a client. It only ever moves to an earlier deadline. A deadline that has moved later fires too early,
 * which costs less than restarting the timer with every command.
 */
export class Timer {
  readonly #clock: Clock;
  readonly #fire: () => void;
  #handle: unknown;
  #deadline = Number.POSITIVE_INFINITY;
  #keepsAlive = true;

  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  /** Fires at the latest `delay` ms after `now`; Infinity asks for nothing. */
  set(now: number, delay: number): void {
    if (!(now + delay < this.#deadline - TOLERANCE)) return;
    this.clear();
    this.#deadline = now + delay;
    const handle = this.#clock.setTimeout(
      () => {
        if (this.#handle !== handle) return;
        this.#deadline = Number.POSITIVE_INFINITY;
        this.#handle = undefined;
        this.#fire();
      },
      Math.min(Math.ceil(Math.max(delay, 0)), LONGEST_DELAY),
    );
    this.#handle = handle;
    this.#apply();
  }

  /** Whether the process must stay alive until the timer has fired. */
  keepAlive(wanted: boolean): void {
    if (this.#keepsAlive === wanted) return;
    this.#keepsAlive = wanted;
    this.#apply();
  }

  clear(): void {
    if (this.#handle !== undefined) this.#clock.clearTimeout(this.#handle);
    this.#handle = undefined;
    this.#deadline = Number.POSITIVE_INFINITY;
  }

  #apply(): void {
    if (this.#handle !== undefined) keepAlive(this.#handle, this.#keepsAlive);
  }
}
