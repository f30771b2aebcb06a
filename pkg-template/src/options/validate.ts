/**
 * Checks of single values: each throws a TypeError or RangeError that names the option and the accepted values. Where a
 * `fallback` is given, it replaces undefined.
 */

interface Types {
  string: string;
  boolean: boolean;
  // biome-ignore lint/suspicious/noExplicitAny: the parameters of a function cannot be checked.
  function: (...args: any[]) => unknown;
}

export function check<T extends keyof Types>(
  name: string,
  value: unknown,
  type: T,
  fallback?: Types[T],
): Types[T] {
  if (value === undefined && fallback !== undefined) return fallback;
  if (typeof value !== type) throw new TypeError(`${name} must be a ${type}; got ${show(value)}`);
  return value as Types[T];
}

/**
 * A message, if `value` is what an unset environment variable yields. A program must load even when it is built or tested
 * without its environment, so the first request to a server fails with this message, and not createClient.
 */
export function unset(name: string, value: unknown): string | undefined {
  if (value !== undefined && value !== "") return undefined;
  const is = value === undefined ? "undefined" : "an empty string";
  return `${name} is ${is}; is the environment variable for it set?`;
}

/** A duration in ms: an integer of at least `min`, or Infinity if `also` allows it. */
export function duration(
  name: string,
  value: unknown,
  min: number,
  fallback?: number,
  also: "" | " or Infinity" = "",
): number {
  if (value === undefined && fallback !== undefined) return fallback;
  const valid =
    (Number.isSafeInteger(value) && (value as number) >= min) || (also !== "" && value === Infinity);
  if (valid) return value as number;
  throw refusal(`${name} must be an integer (ms) from ${min} to 2^53 - 1${also}`, value);
}

export function numberWithin(
  name: string,
  value: unknown,
  min: number,
  max: number,
  fallback: number,
): number {
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= min && value <= max) return value;
  throw refusal(`${name} must be a number from ${min} to ${max}`, value);
}

export function integerWithin(
  name: string,
  value: unknown,
  min: number,
  max: number,
  fallback: number,
): number {
  if (value === undefined) return fallback;
  if (Number.isInteger(value) && (value as number) >= min && (value as number) <= max) return value as number;
  throw refusal(`${name} must be an integer from ${min} to ${max}`, value);
}

/** The options of `what`: an object with only known names, or undefined for none. */
export function optionsOf<T extends object>(what: string, options: unknown, known: ReadonlySet<string>): T {
  if (options === undefined) return {} as T;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new TypeError(`${what}: options must be an object; got ${kindOf(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!known.has(name)) {
      const shown = /^\w+$/.test(name) ? `unknown option ${show(name)}` : "an unknown option";
      throw new TypeError(`${what}: ${shown}; the known options are ${[...known].join(", ")}`);
    }
  }
  return options as T;
}

/** As {@link show}, but without the content of a string: where no string belongs, it may be a URL or a token. */
export function kindOf(value: unknown): string {
  return typeof value === "string" ? "a string" : show(value);
}

/** A value for a message: short, and without the content of objects and arrays. */
export function show(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}...` : value);
  if (typeof value === "number" || typeof value === "boolean" || value == null) return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (Array.isArray(value)) return "an array";
  if (value instanceof Error) return `the error "${value.message}"`;
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
}

function refusal(accepted: string, value: unknown): TypeError | RangeError {
  const message = `${accepted}; got ${show(value)}`;
  return typeof value === "number" ? new RangeError(message) : new TypeError(message);
}

/** Refuses more than one of these options; `at` stands before the error. */
export function refuseSeveral<T extends object>(
  options: T,
  names: readonly (keyof T & string)[],
  at = "",
): void {
  const given = names.filter((name) => options[name] !== undefined);
  if (given.length > 1)
    throw new TypeError(`${at}${given.join(" and ")} are mutually exclusive; give one of them`);
}
