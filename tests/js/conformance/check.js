// What the conformance tests check with. They also run where there is no node:assert: in workerd and in browsers.

export function ok(value, what) {
  if (!value) throw new Error(`not true: ${what}`);
}

export function equal(seen, expected, what = "the value") {
  if (!Object.is(seen, expected)) throw new Error(`${what} is ${show(seen)}; expected ${show(expected)}`);
}

/** Compares plain data. */
export function same(seen, expected, what = "the value") {
  equal(JSON.stringify(seen), JSON.stringify(expected), what);
}

export function within(seen, least, most, what) {
  ok(seen >= least && seen <= most, `${what} is between ${least} and ${most}; it is ${seen}`);
}

export function matches(text, pattern, what = "the text") {
  ok(pattern.test(text), `${what} matches ${pattern}; it is ${show(text)}`);
}

/** The error that `promise` rejects with, of the class `type` and with these properties. */
export async function rejects(promise, type, properties = {}) {
  const error = await promise.then(
    (value) => {
      throw new Error(`expected a rejection with ${type.name}; it resolved to ${show(value)}`);
    },
    (reason) => reason,
  );
  ok(error instanceof type, `${show(error)} is a ${type.name}`);
  for (const [name, value] of Object.entries(properties)) equal(error[name], value, `${type.name}.${name}`);
  return error;
}

/** What `call` throws, of the class `type`. */
export function throws(call, type) {
  try {
    call();
  } catch (error) {
    ok(error instanceof type, `${show(error)} is a ${type.name}`);
    return error;
  }
  throw new Error(`expected ${type.name} to be thrown`);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls `check` until it is truthy, and returns its value. */
export async function until(check, what, limit = 5_000) {
  const end = Date.now() + limit;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() >= end) throw new Error(`${what} did not happen within ${limit} ms`);
    await pause(5);
  }
}

/** Resolves when `signal` has aborted; throws when that takes too long. */
export function aborted(signal, limit = 5_000) {
  return until(() => signal.aborted, "the abort", limit);
}

/** Until `client` has renewed its leases `count` times in all; `check()` has to hold all the time. */
export const renewed = (client, count, check) =>
  until(
    async () => {
      await check?.();
      return client.inspect().counters.renewed >= count;
    },
    `renewal ${count}`,
    10_000,
  );

const show = (value) =>
  value instanceof Error ? `${value.name}: ${value.message}` : String(value).slice(0, 200);
