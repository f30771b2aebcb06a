/** What the error of another client, or of an HTTP endpoint, says. */
import type { Command } from "./command.js";

/** In front of Redis's words: the class in an error made text, Upstash's own, and the `-` of the protocol. */
const WRAPPED = /^(?:[A-Za-z]*Error: |Command failed: )?-?/;
/** GLIDE's words for the errors that it knows: `... server: - NoScriptError: No matching script`. */
const GLIDE = /^An error was signalled by the server: - ([A-Za-z]+): /;
/** The other kinds of GLIDE's are Redis's prefixes, but for upper case. */
const GLIDE_KINDS = new Map([
  ["Response", "ERR"],
  ["BusyLoading", "LOADING"],
  ["PermissionDenied", "NOPERM"],
]);
/** `NOSCRIPT No matching script`, and GLIDE's `WRONGTYPE: Operation against ...`. */
const SERVERS = /^([A-Z][A-Z0-9]+):? (.*)$/;
/** Begins like a server's error, but tells of the way there. */
const OTHERS =
  /^(?:E(?:OF|PIPE|CONN|TIMEDOUT|HOST|NET|ADDR|AI|[A-Z]*NOTFOUND)|TIMEOUT|CONNECTION|SOCKET|TLS|SSL|TCP|DNS|HTTP|URL|IO\b)/;

/** The line of the server's error reply, or undefined when the error is not the server's. */
export function errorReply(message: string): string | undefined {
  const text = message
    .replace(/[\r\n]+/g, " ")
    .replace(WRAPPED, "")
    .replace(GLIDE, prefixOf);
  const [, prefix, rest] = SERVERS.exec(text) ?? [];
  return prefix === undefined || OTHERS.test(prefix) ? undefined : `${prefix} ${rest}`;
}

/** In place of GLIDE's words. */
function prefixOf(_words: string, kind: string): string {
  const name = kind.replace(/Error$/, "");
  return `${GLIDE_KINDS.get(name) ?? name.toUpperCase()} `;
}

/** Texts that must not show: the command's KEYS and ARGV, among which is the owner's token. */
export function secretsOf(command: Command): string[] {
  return command.slice(3).filter((argument) => typeof argument === "string");
}

/** The longest first: one may be a part of another. Shorter than three characters, they are not worth hiding. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  return secrets
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .filter((secret) => secret.length > 2)
    .sort((one, other) => other.length - one.length)
    .reduce((shown, secret) => shown.replaceAll(secret, "***"), text);
}
