import type { SentinelOptions } from "../types/sentinel.js";
import { UNENCODED } from "./url.js";

// The scheme of a server, "+" and what they are :// userinfo @ hosts / path ? query.
const SEVERAL =
  /^((?:redis|valkey)s?)\+(cluster|sentinel)(:\/\/(?:[^/?#]*@)?)([^/?#]*)([^?]*)(?:\?([^#]*))?$/is;

/** The URL of several servers, as their options. */
type Several =
  | { readonly kind: "cluster"; readonly seeds: readonly string[] }
  | { readonly kind: "sentinel"; readonly options: SentinelOptions };

/**
 * Splits the URL of several servers, such as `redis+cluster://user:password@a:6379,b:6379`, or
 * `redis+sentinel://user:password@a:26379,b:26379/0?name=mymaster`; undefined for other URLs. `option` is its name in errors.
 */
export function severalOf(url: unknown, option: string): Several | undefined {
  const [match, scheme = "", kind = "", login = "", list = "", path = "", query] =
    typeof url === "string" ? (SEVERAL.exec(url) ?? []) : [];
  if (match === undefined) return undefined;
  const hosts = list.split(",");
  if (kind.toLowerCase() === "cluster") {
    const rest = query === undefined ? path : `${path}?${query}`;
    return { kind: "cluster", seeds: hosts.map((host) => scheme + login + host + rest) };
  }
  const given = (query ?? "")
    .split("&")
    .filter(Boolean)
    .map((text) => parameter(text, option));
  // Not shown: it may be a part of a password that is not encoded.
  if (given.some(([key]) => !QUERY.has(key)))
    throw new TypeError(
      `${option}: an unknown parameter; the known ones are ${[...QUERY].join(", ")} (${UNENCODED})`,
    );
  const { name, sentinelUser, sentinelPassword } = Object.fromEntries(given) as Record<
    string,
    string | undefined
  >;
  const own = [sentinelUser, sentinelPassword].map((text) => encodeURIComponent(text ?? "")).join(":");
  const sentinels = hosts.map((host) => `${scheme}://${own === ":" ? "" : `${own}@`}${host}`);
  if (name === undefined)
    throw new TypeError(`${option}: the name of the master is missing, such as ?name=mymaster`);
  return { kind: "sentinel", options: { name, sentinels, url: scheme + login + path } };
}

function parameter(text: string, option: string): [string, string] {
  const [name = "", ...value] = text.split("=");
  try {
    return [name, decodeURIComponent(value.join("="))];
  } catch {
    throw new TypeError(`${option}: a parameter has a malformed percent-encoding`);
  }
}

const QUERY = new Set(["name", "sentinelUser", "sentinelPassword"]);
