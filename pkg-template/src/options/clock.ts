import type { Clock } from "../types/types.js";

const { setTimeout: begin, clearTimeout: end, performance } = globalThis;

/** Looked up at each call. */
const presentClock: Clock = {
  now: () => globalThis.performance.now(),
  wall: () => globalThis.Date.now(),
  setTimeout: (callback, delay) => globalThis.setTimeout(callback, delay),
  clearTimeout: (timer) => globalThis.clearTimeout(timer as ReturnType<typeof begin>),
};

/** Taken when the package is loaded, so that nothing that a test puts in their place later stops a lease. */
const loadedClock: Clock = {
  now: performance.now.bind(performance),
  wall: Date.now,
  setTimeout: (callback, delay) => begin(callback, delay),
  clearTimeout: (timer) => end(timer as ReturnType<typeof begin>),
};

/** Whether fake timers were installed before the package was loaded. Sinon's, which Jest and Vitest use too, have a `clock`. */
export const hasFakeTimers = "clock" in begin;

/**
 * The runtime's own clocks and timers, as they were when the package was loaded. If fake timers were installed before that,
 * the test means them to drive the client: then it uses whatever is installed at each call.
 */
export const systemClock: Clock = hasFakeTimers ? presentClock : loadedClock;

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
