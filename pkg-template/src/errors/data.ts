import type { LockError } from "./errors.js";

/** An error as plain data, for events and logs: JSON takes it. It contains no token and no password. */
export interface ErrorData {
  /** The name of the error's class. */
  readonly name: string;
  /** The message, for people. */
  readonly message: string;
  /** The code, such as `LOCK_SERVER`, or that of an error of the runtime, such as `ECONNREFUSED`; absent if it has none. */
  readonly code?: string;
  /** The server, as host:port or the path of its socket, if the error concerns one server. */
  readonly node?: string;
  /** The first word of an error reply: NOAUTH, READONLY, ... */
  readonly prefix?: string;
  /** The underlying error, if there is one; not what the credentials function threw, which may contain a secret. */
  readonly cause?: ErrorData;
}

/** Causes beyond this depth are left out: an error of the application's transport may be its own cause. */
const DEEPEST = 5;

const withheld = new WeakSet<object>();

/** The application's own error is behind this one: it stays out of the data. */
export function withholdCause<E extends LockError>(error: E): E {
  withheld.add(error);
  return error;
}

/** The error as plain data. */
export function dataOf(error: unknown, depth = 0): ErrorData {
  const data: { -readonly [name in keyof ErrorData]: ErrorData[name] } = { name: "Error", message: "" };
  try {
    const given = Object(error) as Partial<ErrorData>;
    const { name, message, cause } = given;
    data.name = String(name ?? "Error");
    data.message = String(message ?? error);
    for (const each of ["code", "node", "prefix"] as const) {
      const value = given[each];
      if (typeof value === "string") data[each] = value;
    }
    const isShown = cause !== undefined && cause !== null && !withheld.has(given);
    if (isShown && depth < DEEPEST) data.cause = dataOf(cause, depth + 1);
  } catch {
    data.message ||= "an error that cannot be displayed";
  }
  return data;
}
