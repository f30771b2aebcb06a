import { kindOf } from "../options/validate.js";
import type { Credentials } from "../types/types.js";

/** How a connection logs in. */
export interface Login {
  /** `""` when there is none. */
  readonly user: string;
  /** `""` when there is none. */
  readonly password: string;
}

/** Asks the application for credentials. Rejects with its error, or with a TypeError that does not repeat what it gave. */
export async function askLogin(credentials: () => Credentials | Promise<Credentials>): Promise<Login> {
  const given: unknown = await credentials();
  const { username = "", password } = (given ?? {}) as Partial<Record<keyof Credentials, unknown>>;
  if (typeof username === "string" && typeof password === "string") return { user: username, password };
  const got =
    typeof given === "object" && given !== null
      ? `username: ${typeof username}, password: ${typeof password}`
      : kindOf(given);
  throw new TypeError(`credentials must return { username?, password }, both strings; got ${got}`);
}
