import { setImmediate } from "node:timers";
import { hasFakeTimers } from "../options/clock.js";

/** Calls a function when the callbacks of all events of this turn of the event loop have run. */
export type AfterTurn = (call: () => void) => void;

/**
 * The runtime's. Undefined if a test's fake timers were installed before the package was loaded: they may call nothing before
 * the test asks for it.
 */
export const afterTurn: AfterTurn | undefined =
  hasFakeTimers || "clock" in setImmediate ? undefined : setImmediate;
