// Whether a contender is warm: compiled code is in place, and its rate no longer changes from slice to slice of time.
import { median } from "./statistics.js";

/**
 * Whether the last `span` rates and the `span` rates before them have the same median, but for the share `change`. Medians, because a
 * single slice can be slow for other reasons.
 */
export function isSteady(rates, { span, change }) {
  if (rates.length < 2 * span) return false;
  const last = median(rates.slice(-span));
  const before = median(rates.slice(-2 * span, -span));
  return Math.abs(last - before) <= change * Math.max(last, before);
}

/**
 * Runs `slice()`, which resolves to a rate, until the rates are steady, or `atMost` ms have passed: { steady, ms }. `now` is a clock in ms.
 */
export async function warmUp(slice, { span, change, atMost }, now = () => performance.now()) {
  const began = now();
  const rates = [];
  for (;;) {
    rates.push(await slice());
    const ms = now() - began;
    if (isSteady(rates, { span, change })) return { steady: true, ms };
    if (ms >= atMost) return { steady: false, ms };
  }
}
