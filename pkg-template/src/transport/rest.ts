import { isLocal } from "../options/url.js";
import { check, optionsOf, unset } from "../options/validate.js";
import type { Transport } from "../types/transport.js";
import { commandTransport } from "./command-transport.js";
import { type Fetch, restRequests } from "./rest-requests.js";

/** Options of {@link fromRest}. */
export interface RestOptions {
  /** `https://...`; `http://` to another machine needs `allowPlaintextAuth`. */
  url: string | undefined;
  /** Sent as `Authorization: Bearer <token>`. A read-only token is not enough. */
  token: string | undefined;
  /** The `fetch` function to use; the runtime's own by default. If it rejects, the outcome of the commands counts as unknown. */
  fetch?: Fetch | undefined;
}

const OPTIONS = new Set<string>(["url", "token", "fetch"] satisfies (keyof RestOptions)[]);

/**
 * Redis over HTTP, as Upstash and serverless-redis-http offer it, for runtimes without sockets. Commands that are written
 * together share a request; at most four requests are in flight at a time. There are no wake-ups, so waiters poll, with one
 * command per attempt. If a request may take longer than the default of `nodeTimeout`, set `nodeTimeout` to that time. Keys
 * and tokens must be valid Unicode, because the request is JSON.
 *
 * HTTP keeps no order: if a request is abandoned after `nodeTimeout`, and the endpoint runs it only after the clean-up that
 * followed, the lock stays taken for its `ttl`. Allow requests enough time, and use a short `ttl`.
 *
 * Throws TypeError for bad options. If `url` or `token` is undefined or empty because an environment variable is not set, the
 * client is created all the same, and its calls reject with a TypeError that says so. A rejected token appears as a ServerError
 * with prefix `WRONGPASS`.
 *
 * @example
 * createClient({ transport: fromRest({ url: UPSTASH_REDIS_REST_URL, token: UPSTASH_REDIS_REST_TOKEN }) })
 */
export function fromRest(options: RestOptions): Transport {
  const given = optionsOf<RestOptions>("fromRest", options, OPTIONS);
  const missing = missingIn(given);
  if (missing !== undefined) {
    return { missing, carrier: "commands", connect: () => Promise.reject(new TypeError(missing)) };
  }
  const { base, ...info } = parseUrl(check("fromRest: url", given.url, "string"));
  const token = check("fromRest: token", given.token, "string");
  // A line break would end the header.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TypeError("fromRest: token must be printable ASCII without spaces");
  const fetch = given.fetch ?? (globalThis as { fetch?: Fetch }).fetch;
  if (typeof fetch !== "function")
    throw new TypeError("fromRest: fetch must be a function; if this runtime has none, pass one");
  return commandTransport(restRequests(base, token, fetch), { ...info, secret: token });
}

function missingIn(given: RestOptions): string | undefined {
  const names = (["url", "token"] as const).filter((name) => name in given);
  return names.map((name) => unset(`fromRest: ${name}`, given[name])).find((text) => text !== undefined);
}

function parseUrl(text: string): { base: string; name: string; secure: boolean } {
  const match = /^(https?):\/\/([^/?#@\s\\]+)(\/[^?#\s]*)?$/i.exec(text);
  if (match === null) {
    throw new TypeError("fromRest: url must be https://host[:port][/path], without user, password or query");
  }
  const [, scheme = "", name = "", path = ""] = match;
  const host = name.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const secure = scheme.toLowerCase() === "https" || isLocal({ host, path: null });
  return { base: `${scheme}://${name}${path.replace(/\/+$/, "")}`, name, secure };
}
