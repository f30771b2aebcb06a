import type { Command, Execute, Open } from "./command.js";

/** The part of fetch that is used. */
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

/** Concurrent requests: browsers and workers have six connections, which other code needs too. */
const MOST_REQUESTS = 4;
/** Commands per request: services limit its size, to a megabyte or more. */
const MOST_COMMANDS = 100;

interface Waiting {
  readonly command: Command;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Sends commands to a REST endpoint at `base`. Commands that have to wait share the next request. */
export function restRequests(base: string, token: string, fetch: Fetch): Open {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

  /** Rejects when it is unknown whether the commands have run. */
  const post = async (commands: Command[], signal: AbortSignal): Promise<unknown[]> => {
    const [first] = commands;
    const single = commands.length === 1;
    const response = await fetch(single ? base : `${base}/pipeline`, {
      method: "POST",
      headers,
      body: JSON.stringify(single ? first : commands),
      // Following a redirect would hand commands and token to another host.
      redirect: "manual",
      signal,
    });
    const body = bodyOf(response.status, await response.json().catch(() => undefined));
    // A pipeline that is refused as a whole has one response for all commands.
    return Array.isArray(body) ? body : commands.map(() => body);
  };

  return (signal): Execute => {
    const waiting: Waiting[] = [];
    let inFlight = 0;
    const pump = () => {
      while (inFlight < MOST_REQUESTS && waiting.length > 0 && !signal.aborted) {
        const batch = waiting.splice(0, MOST_COMMANDS);
        inFlight += 1;
        post(
          batch.map(({ command }) => command),
          signal,
        ).then(
          (answers) => {
            for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
            inFlight -= 1;
            pump();
          },
          // This ends the session: waiting commands are never sent.
          (error: unknown) => {
            for (const { reject } of batch) reject(error);
          },
        );
      }
    };
    return (commands) => {
      const answers = commands.map((command) => {
        if (command.some((argument) => typeof argument !== "string")) {
          return Promise.reject(new Error("ERR over REST, keys and tokens must be valid Unicode"));
        }
        return new Promise((resolve, reject) => waiting.push({ command, resolve, reject })).then(resultOf);
      });
      pump();
      return answers;
    };
  };
}

/** The body of a response. Throws when it is unknown whether the commands have run. */
function bodyOf(status: number, body: unknown): unknown {
  if (status === 401 || status === 403) {
    const error = `WRONGPASS the REST token was rejected (HTTP ${status}); check fromRest's token and url`;
    return { error };
  }
  if (status === 429) return { error: "TRYAGAIN the REST endpoint received too many requests (HTTP 429)" };
  const answered = status < 500 && body !== undefined && (status < 300 || errorOf(body) !== undefined);
  if (answered && status !== 0) return body;
  // Browsers report a redirect as 0.
  if (status < 400 && (status === 0 || status >= 300)) {
    throw new Error(`the REST endpoint redirects (HTTP ${status}); give fromRest its new url`);
  }
  const reason = errorOf(body) ?? (body === undefined ? "no JSON" : "no result");
  throw new Error(`the REST endpoint responded with HTTP ${status} (${reason}); check fromRest's url`);
}

function errorOf(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | null | undefined)?.error;
  return typeof error === "string" ? error : undefined;
}

/** `{ result }` or `{ error }`. */
function resultOf(answer: unknown): unknown {
  const error = errorOf(answer);
  // Without a Redis prefix the error is the endpoint's own, and the command has not run.
  if (error !== undefined) throw new Error(/^[A-Z][A-Z0-9]* /.test(error) ? error : `ERR ${error}`);
  const result = (answer as { result?: unknown } | null | undefined)?.result;
  if (result === undefined) throw new Error("the REST endpoint's response has neither result nor error");
  return result;
}
