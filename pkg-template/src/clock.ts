import type { Clock } from "./types.js";

/** Timers take at most 31 bits of ms and fire at once beyond. Being early is harmless: the driver arms again. */
const LONGEST_DELAY = 2 ** 31 - 1;

/** The runtime's own time. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
  setTimeout: (callback, delay) => setTimeout(callback, Math.min(delay, LONGEST_DELAY)),
  clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
};
