import { isLocal } from "../options/url.js";
import { check, optionsOf } from "../options/validate.js";
import type { Transport } from "../types/types.js";
import { commandTransport } from "./command-transport.js";
import { type Fetch, restRequests } from "./rest-requests.js";

/** Options of {@link fromRest}. */
export interface RestOptions {
  /** `https://...`; `http://` to another machine needs `allowPlaintextAuth`. */
  url: string;
  /** Sent as `Authorization: Bearer <token>`. It must be allowed to write. */
  token: string;
  /** By default the runtime's own. When it rejects, it is unknown what became of the commands. */
  fetch?: Fetch;
}

const OPTIONS = new Set<string>(["url", "token", "fetch"] satisfies (keyof RestOptions)[]);

/**
 * Redis over HTTP, as Upstash and serverless-redis-http offer it, for runtimes that have no sockets. Commands that are
 * written at once go in one request; at most four requests are under way at a time. There are no wake-ups, so that waiters
 * poll: each attempt is a command. Give `nodeTimeout` the time that a request may take where that is more than 5 % of
 * `ttl`, or a second. Keys and tokens must be valid Unicode: the request is JSON.
 *
 * HTTP keeps no order: a request that is given up after `nodeTimeout`, and carried out by the endpoint after the clean-up that
 * follows, leaves the lock taken for its `ttl`. Give requests time, and locks a short `ttl`.
 *
 * Throws TypeError for bad options. A token that is refused shows as ServerError with prefix `WRONGPASS`.
 *
 * @example
 * createClient({ transport: fromRest({ url: UPSTASH_REDIS_REST_URL, token: UPSTASH_REDIS_REST_TOKEN }) })
 */
export function fromRest(options: RestOptions): Transport {
  const given = optionsOf<RestOptions>("fromRest", options, OPTIONS);
  const { base, ...about } = parseUrl(check("fromRest: url", given.url, "string"));
  const token = check("fromRest: token", given.token, "string");
  // A header ends with its line; and an empty one is a variable that is not set.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TypeError("fromRest: token must be printable text without spaces");
  const fetch = given.fetch ?? (globalThis as { fetch?: Fetch }).fetch;
  if (typeof fetch !== "function")
    throw new TypeError("fromRest: fetch is missing, and this runtime has none");
  return commandTransport(restRequests(base, token, fetch), { ...about, secret: token });
}

function parseUrl(text: string): { base: string; name: string; secure: boolean } {
  const match = /^(https?):\/\/([^/?#@\s\\]+)(\/[^?#\s]*)?$/i.exec(text);
  if (match === null) {
    throw new TypeError(
      "fromRest: url must be https://host[:port][/path], without user, password and parameters",
    );
  }
  const [, scheme = "", name = "", path = ""] = match;
  const host = name.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
  const secure = scheme.toLowerCase() === "https" || isLocal({ host, path: null });
  return { base: `${scheme}://${name}${path.replace(/\/+$/, "")}`, name, secure };
}
