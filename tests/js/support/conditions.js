// Waiting for a condition with a deadline, so that no test hopes that a pause was long enough.
import { setTimeout as pause } from "node:timers/promises";

/** Polls `check` every `every` ms until it is truthy and returns its value; throws when `within` ms have passed. */
export async function until(check, { within = 5_000, every = 5, what = "the condition" } = {}) {
  const end = performance.now() + within;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() >= end) throw new Error(`${what} did not come true within ${within} ms`);
    await pause(every);
  }
}

/** Until `client` has renewed `count` times, each at a third of a lease; `check()` has to hold all the time. */
export const untilRenewed = (client, count, check) =>
  until(
    async () => {
      await check?.();
      return client.inspect().counters.renewed >= count;
    },
    { within: 10_000, what: `${count} renewals` },
  );

/** `promise`, or an error after `within` ms. */
export async function settles(promise, within = 5_000, what = "the promise") {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not settle within ${within} ms`)), within);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The error that `promise` rejects with; throws when it resolves or stays pending. */
export async function rejection(promise, within = 5_000) {
  const NOTHING = Symbol("no error");
  const error = await settles(
    promise.then(
      () => NOTHING,
      (reason) => reason,
    ),
    within,
    "the rejection",
  );
  if (error === NOTHING) throw new Error("a rejection was expected, but the promise resolved");
  return error;
}

/** Keeps the event loop busy: no timer, no I/O can run for `ms`. */
export function stall(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end) {
    // Burning time is the point.
  }
}

/** Resolves when `signal` aborts, with the time of it (performance.now()). */
export function aborted(signal) {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(performance.now());
    else signal.addEventListener("abort", () => resolve(performance.now()), { once: true });
  });
}

/** How late a timer has fired at most since now, in ms: what a busy machine adds to everything that goes by timers. */
export function measureLateness(scope, every = 5) {
  let worst = 0;
  let due = performance.now() + every;
  const timer = setInterval(() => {
    worst = Math.max(worst, performance.now() - due);
    due = performance.now() + every;
  }, every);
  scope.after(() => clearInterval(timer));
  return () => Math.max(worst, performance.now() - due);
}
