import { reasonOf } from "../errors/text.js";
import { type HostPort, nameOf, parseHostPort } from "./url.js";
import { kindOf } from "./validate.js";

/** The option `natMap`, checked. */
export interface Translation {
  /** Where an announced address is to be reached. Throws an Error if the application's function does, or returns none. */
  reach(announced: HostPort): HostPort;
  /** What is announced as that address: the way back, as far as there is a table. */
  announced(reachable: HostPort): HostPort;
  /** The hosts in the table. */
  readonly hosts: readonly string[];
}

/** Checks the option, which errors call `name`. */
export function parseNatMap(name: string, given: unknown = {}): Translation {
  const ask = typeof given === "function" ? (given as Ask) : undefined;
  if (ask === undefined && (typeof given !== "object" || given === null || Array.isArray(given)))
    throw new TypeError(`${name} must be an object or a function; got ${kindOf(given)}`);
  const there = new Map<string, HostPort>();
  const back = new Map<string, HostPort>();
  for (const entry of Object.entries(given as object)) {
    const [from, to] = entry.map((text: unknown) => parseHostPort(String(text)));
    // Not shown: it may be a URL with a password.
    if (from === undefined || to === undefined)
      throw new TypeError(`${name} must map host:port to host:port`);
    there.set(keyOf(from), to);
    back.set(keyOf(to), from);
  }
  return {
    reach: (address) =>
      (ask === undefined ? there.get(keyOf(address)) : asked(name, ask, address)) ?? address,
    announced: (address) => back.get(keyOf(address)) ?? address,
    hosts: Array.from(there.values(), ({ host }) => host),
  };
}

type Ask = (address: string) => unknown;

function asked(name: string, ask: Ask, address: HostPort): HostPort | undefined {
  const given = askApplication(name, () => ask(nameOf(address)));
  if (given === undefined) return undefined;
  const reachable = typeof given === "string" ? parseHostPort(given) : undefined;
  if (reachable !== undefined) return reachable;
  throw new TypeError(`${name} must return host:port or undefined; got ${kindOf(given)}`);
}

/** What a function among the options returns; throws an Error that names the option if the function throws. */
export function askApplication<T>(option: string, ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    throw new Error(`${option} failed: ${reasonOf(cause)}`, { cause });
  }
}

/** The same for the same server: names of hosts have no case. */
function keyOf(address: HostPort): string {
  return nameOf(address).toLowerCase();
}
