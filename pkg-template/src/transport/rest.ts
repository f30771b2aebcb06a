import { isLocal } from "../address.js";
import { check, optionsOf } from "../check.js";
import type { Transport } from "../types.js";
import { type Command, commandTransport } from "./commands.js";

/** Options of {@link fromRest}. */
export interface RestOptions {
  /** `https://...`; `http://` to another machine needs `allowPlaintextAuth`. */
  url: string;
  /** Sent as `Authorization: Bearer <token>`. */
  token: string;
  /** By default the runtime's own. When it rejects, it is unknown what became of the commands. */
  fetch?: Fetch;
}

/** As much of fetch as is needed. */
export type Fetch = (
  url: string,
  request: {
    method: string;
    headers: Record<string, string>;
    body: string;
    redirect: "manual";
    signal: AbortSignal;
  },
) => Promise<{ status: number; json(): Promise<unknown> }>;

const OPTIONS = new Set<string>(["url", "token", "fetch"] satisfies (keyof RestOptions)[]);

/**
 * Redis over HTTP, as Upstash and serverless-redis-http offer it, for runtimes that have no sockets. Commands that are
 * written at once go in one request. There are no wake-ups, so that waiters poll: each attempt is a request.
 *
 * Throws TypeError for bad options. A token that is refused shows as ServerError with prefix `WRONGPASS`.
 */
export function fromRest(options: RestOptions): Transport {
  const given = optionsOf<RestOptions>("fromRest", options, OPTIONS);
  const url = parseUrl(check("fromRest: url", given.url, "string"));
  const token = check("fromRest: token", given.token, "string");
  // A header ends with its line; and an empty one is a variable that is not set.
  if (!/^[\x21-\x7e]+$/.test(token))
    throw new TypeError("fromRest: token must be printable text without spaces");
  const send = given.fetch ?? (globalThis as { fetch?: Fetch }).fetch;
  if (typeof send !== "function")
    throw new TypeError("fromRest: fetch is missing, and this runtime has none");

  const post = async (path: string, body: unknown, signal: AbortSignal): Promise<unknown> => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    // A redirection would carry commands to a stranger.
    const request = {
      method: "POST",
      headers,
      body: JSON.stringify(body),
      redirect: "manual",
      signal,
    } as const;
    const response = await send(url.base + path, request);
    return resultOf(response.status, await response.json().catch(() => undefined));
  };
  const execute = (commands: Command[], signal: AbortSignal): Promise<unknown>[] => {
    const first = commands[0];
    if (commands.some((command) => command.some((argument) => typeof argument !== "string"))) {
      return commands.map(() =>
        Promise.reject(new Error("ERR over REST, keys and tokens must be valid Unicode")),
      );
    }
    if (commands.length === 1) return [post("", first, signal).then(unwrap)];
    const answers = post("/pipeline", commands, signal);
    return commands.map(async (_, index) => {
      const all = await answers;
      return unwrap(Array.isArray(all) ? all[index] : all);
    });
  };
  return commandTransport(execute, { name: url.name, secure: url.secure });
}

function parseUrl(text: string): { base: string; name: string; secure: boolean } {
  const match = /^(https?):\/\/([^/?#@\s]+)(\/[^?#\s]*)?$/i.exec(text);
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

/** The body of an answer, or an error for what went wrong on the way. */
function resultOf(status: number, body: unknown): unknown {
  if (body !== undefined && (status < 300 || errorOf(body) !== undefined) && status !== 401) return body;
  if (status === 401 || status === 403) {
    throw new Error(`WRONGPASS the REST token was refused (HTTP ${status}); check fromRest's token and url`);
  }
  if (status === 429) throw new Error("TRYAGAIN the REST endpoint has had too many requests (HTTP 429)");
  throw new Error(
    `the REST endpoint answered with HTTP ${status}${body === undefined ? " and no JSON" : ""}`,
  );
}

function errorOf(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | null)?.error;
  return typeof error === "string" ? error : undefined;
}

/** `{ result }` or `{ error }`. */
function unwrap(answer: unknown): unknown {
  const error = errorOf(answer);
  // Without a prefix of Redis's, it is the endpoint's own word; the command has not been run.
  if (error !== undefined) throw new Error(/^[A-Z][A-Z0-9]* /.test(error) ? error : `ERR ${error}`);
  const result = (answer as { result?: unknown } | null | undefined)?.result;
  if (result === undefined) throw new Error("the REST endpoint's answer has neither result nor error");
  return result;
}
