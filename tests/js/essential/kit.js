// What the tests in this folder check with. They run where there is no node:assert: in workerd and in browsers.

export function ok(value, what) {
  if (!value) throw new Error(`not so: ${what}`);
}

export function equal(seen, expected, what = "the value") {
  if (!Object.is(seen, expected))
    throw new Error(`${what}: ${show(seen)} where ${show(expected)} is expected`);
}

/** Compares plain data. */
export function same(seen, expected, what = "the value") {
  equal(JSON.stringify(seen), JSON.stringify(expected), what);
}

/** The error that `promise` rejects with, of the class `type` and with these properties. */
export async function rejects(promise, type, properties = {}) {
  const error = await promise.then(
    (value) => {
      throw new Error(`a ${type.name} was expected, but there was ${show(value)}`);
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
  throw new Error(`a ${type.name} was expected`);
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls `check` until it is truthy, and returns its value. */
export async function until(check, what, within = 5_000) {
  const end = Date.now() + within;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (Date.now() >= end) throw new Error(`${what} did not come true within ${within} ms`);
    await pause(5);
  }
}

/** Resolves when `signal` has aborted; throws when that takes too long. */
export function aborted(signal, within = 5_000) {
  return until(() => signal.aborted, "the abort", within);
}

const show = (value) =>
  value instanceof Error ? `${value.name}: ${value.message}` : String(value).slice(0, 200);
