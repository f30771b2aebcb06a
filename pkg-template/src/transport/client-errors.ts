/** Reads the errors of other Redis clients and of HTTP endpoints. */
import type { Command } from "./command.js";

/** Prefixes of the server's message: the class of an error as a string, Upstash's own words, and the protocol's `-`. */
const WRAPPED = /^(?:[A-Za-z]*Error: |Command failed: )?-?/;
/**
 * ioredis and GLIDE follow a cluster's redirects and repeat TRYAGAIN, and give up in the end. The server has done nothing
 * then, and the change of the cluster will be over, so the outcome is known and transient. This is ioredis's form.
 */
const REDIRECTED =
  /^Too many Cluster redirections\. Last error: (?:[A-Za-z]*Error: )?(?=(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN) )/;
/** GLIDE's form of the errors that it knows: `... server: - NoScriptError: No matching script`. */
const GLIDE = /^An error was signalled by the server: - ([A-Za-z]+): /;
/** GLIDE's other kinds are Redis's prefixes in another case. */
const GLIDE_KINDS = new Map([
  ["Response", "ERR"],
  ["BusyLoading", "LOADING"],
  ["PermissionDenied", "NOPERM"],
  ["Moved", "TRYAGAIN too many redirections: MOVED"],
  ["Ask", "TRYAGAIN too many redirections: ASK"],
]);
/** `NOSCRIPT No matching script`, and GLIDE's `WRONGTYPE: Operation against ...`. */
const SERVERS = /^([A-Z][A-Z0-9]+):? (.*)$/;
/** Errors that begin like a server's, but come from the connection. */
const OTHERS =
  /^(?:E(?:OF|PIPE|CONN|TIMEDOUT|HOST|NET|ADDR|AI|[A-Z]*NOTFOUND)|TIMEOUT|CONNECTION|SOCKET|TLS|SSL|TCP|DNS|HTTP|URL|IO\b)/;

/** The line of the server's error reply, or undefined when the error is not from the server. */
export function errorReply(message: string): string | undefined {
  const text = message
    .replace(/[\r\n]+/g, " ")
    .replace(REDIRECTED, "TRYAGAIN too many redirections: ")
    .replace(WRAPPED, "")
    .replace(GLIDE, prefixOf);
  const [, prefix, rest] = SERVERS.exec(text) ?? [];
  return prefix === undefined || OTHERS.test(prefix) ? undefined : `${prefix} ${rest}`;
}

/** The prefix that replaces GLIDE's words. */
function prefixOf(_words: string, kind: string): string {
  const name = kind.replace(/Error$/, "");
  return `${GLIDE_KINDS.get(name) ?? name.toUpperCase()} `;
}

/** Strings that no error may show: the command's KEYS and ARGV, which include the owner's token. */
export function secretsOf(command: Command): string[] {
  return command.slice(3).filter((argument) => typeof argument === "string");
}

/** Replaces the longest first: one may be part of another. Strings of fewer than three characters are not worth hiding. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .filter((secret) => secret.length > 2)
    .sort((one, other) => other.length - one.length)
    .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}
