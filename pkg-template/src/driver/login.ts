import { kindOf } from "../options/validate.js";
import type { Credentials } from "../types/types.js";

/** How a connection logs in. */
export interface Login {
  /** `""` when there is none. */
  readonly user: string;
  /** `""` when there is none. */
  readonly password: string;
}

/** What the credentials function threw, which only the application may see: its text may contain a secret. */
export class LoginFailure {
  readonly cause: unknown;
  /** For people. */
  readonly reason: string;

  constructor(thrown: unknown) {
    this.cause = thrown;
    const name = thrown instanceof Error && /^\w{1,50}$/.exec(thrown.name);
    this.reason = `the credentials function failed${name ? ` with ${name}` : ""}`;
  }
}

/** Asks the application for credentials. Rejects with a LoginFailure, or with a TypeError that does not repeat what it gave. */
export async function askLogin(credentials: () => Credentials | Promise<Credentials>): Promise<Login> {
  let given: unknown;
  try {
    given = await credentials();
  } catch (error) {
    throw new LoginFailure(error);
  }
  const { username = "", password } = (given ?? {}) as Partial<Record<keyof Credentials, unknown>>;
  if (typeof username === "string" && typeof password === "string") return { user: username, password };
  const got =
    typeof given === "object" && given !== null
      ? `username: ${typeof username}, password: ${typeof password}`
      : kindOf(given);
  throw new TypeError(`credentials must return { username?, password }, both strings; got ${got}`);
}
