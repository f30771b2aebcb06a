import type { Clock } from "../types/types.js";

/** The runtime's own clocks and timers. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};

/**
 * Sets whether the process stays alive until a timer has fired. Timers are numbers in Deno, which has functions for it, and in
 * browsers, where nothing has to be set.
 */
export function keepAlive(timer: unknown, wanted: boolean): void {
  if (typeof timer === "object" && timer !== null) {
    const { ref, unref } = timer as { ref?(): void; unref?(): void };
    (wanted ? ref : unref)?.call(timer);
  } else if (typeof timer === "number") {
    const runtime = (globalThis as { Deno?: typeof Deno }).Deno;
    if (wanted) runtime?.refTimer(timer);
    else runtime?.unrefTimer(timer);
  }
}
