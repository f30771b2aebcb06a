import type { Command, Execute, Open } from "./command.js";

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

/** Requests at once: browsers and workers have six connections, which others need too. */
const MOST_REQUESTS = 4;
/** Commands in one request: services limit its size, to a megabyte at the least. */
const MOST_COMMANDS = 100;

interface Waiting {
  readonly command: Command;
  resolve(answer: unknown): void;
  reject(error: unknown): void;
}

/** Commands as requests to a REST endpoint at `base`: what waits for others to be answered goes together in the next. */
export function restRequests(base: string, token: string, fetch: Fetch): Open {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };

  /** Rejects when it is unknown whether the commands have been run. */
  const post = async (commands: Command[], signal: AbortSignal): Promise<unknown[]> => {
    const [first] = commands;
    const single = commands.length === 1;
    const response = await fetch(single ? base : `${base}/pipeline`, {
      method: "POST",
      headers,
      body: JSON.stringify(single ? first : commands),
      // It would carry commands and token to a stranger.
      redirect: "manual",
      signal,
    });
    const body = bodyOf(response.status, await response.json().catch(() => undefined));
    // A pipeline that is refused as a whole has one answer for all.
    return Array.isArray(body) ? body : commands.map(() => body);
  };

  return (signal): Execute => {
    const waiting: Waiting[] = [];
    let underWay = 0;
    const pump = () => {
      while (underWay < MOST_REQUESTS && waiting.length > 0 && !signal.aborted) {
        const batch = waiting.splice(0, MOST_COMMANDS);
        underWay += 1;
        post(
          batch.map(({ command }) => command),
          signal,
        ).then(
          (answers) => {
            for (const [index, { resolve }] of batch.entries()) resolve(answers[index]);
            underWay -= 1;
            pump();
          },
          // The session ends by that: what waits is not sent any more.
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

/** The body of an answer. Throws when the commands may or may not have been run. */
function bodyOf(status: number, body: unknown): unknown {
  if (status === 401 || status === 403) {
    const error = `WRONGPASS the REST token was refused (HTTP ${status}); check fromRest's token and url`;
    return { error };
  }
  if (status === 429) return { error: "TRYAGAIN the REST endpoint has had too many requests (HTTP 429)" };
  const answered = status < 500 && body !== undefined && (status < 300 || errorOf(body) !== undefined);
  if (answered && status !== 0) return body;
  // 0 is how browsers show a redirection.
  if (status < 400 && (status === 0 || status >= 300)) {
    throw new Error(`the REST endpoint redirects (HTTP ${status}); give fromRest the url where it is now`);
  }
  const said = errorOf(body) ?? (body === undefined ? "no JSON" : "no result");
  throw new Error(`the REST endpoint answered with HTTP ${status} (${said}); check fromRest's url`);
}

function errorOf(body: unknown): string | undefined {
  const error = (body as { error?: unknown } | null | undefined)?.error;
  return typeof error === "string" ? error : undefined;
}

/** `{ result }` or `{ error }`. */
function resultOf(answer: unknown): unknown {
  const error = errorOf(answer);
  // Without a prefix of Redis's, it is the endpoint's own word; the command has not been run.
  if (error !== undefined) throw new Error(/^[A-Z][A-Z0-9]* /.test(error) ? error : `ERR ${error}`);
  const result = (answer as { result?: unknown } | null | undefined)?.result;
  if (result === undefined) throw new Error("the REST endpoint's answer has neither result nor error");
  return result;
}
