/**
 * The protocol of Redis (RESP 2) from the server's side, as far as the core speaks it: for transports whose other end takes
 * commands and gives replies as values.
 */
import type { Command } from "./commands.js";

const LINE_FEED = 10;
const ZERO = 48;
/** A reply of the scripts is one level deep. */
const DEEPEST = 4;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Takes apart what the core has written: whole commands, arrays of bulk strings. */
export function readCommands(bytes: Uint8Array): Command[] {
  let at = 0;
  const number = () => {
    let value = 0;
    for (at += 1; bytes[at + 1] !== LINE_FEED; at += 1) value = value * 10 + (bytes[at] ?? ZERO) - ZERO;
    at += 2;
    return value;
  };
  const argument = () => {
    const end = number() + at;
    const part = bytes.slice(at, end);
    at = end + 2;
    return textOf(part);
  };
  const commands: Command[] = [];
  while (at < bytes.length) commands.push(Array.from({ length: number() }, argument));
  return commands;
}

/**
 * The bytes of what became of a command. Rejects when it is unknown what became of it: then the error is a new one, for
 * clients' errors may carry the command's arguments, which are secret.
 */
export async function replyOf(outcome: Promise<unknown>, command: Command): Promise<Uint8Array> {
  let text: string;
  try {
    return encoder.encode(encode(await outcome, 0));
  } catch (error) {
    text = withoutArguments(messageOf(error), command);
  }
  const line = errorReply(text);
  if (line === undefined) throw new Error(text);
  return encoder.encode(`-${line}\r\n`);
}

function encode(value: unknown, depth: number): string {
  if (value === null || value === undefined) return "$-1\r\n";
  switch (typeof value) {
    case "string":
      return `$${encoder.encode(value).length}\r\n${value}\r\n`;
    case "bigint":
      return `:${value}\r\n`;
    case "number":
      if (Number.isSafeInteger(value)) return `:${value}\r\n`;
      break;
    case "object":
      if (value instanceof Error) throw value;
      if (ArrayBuffer.isView(value)) return encode(decoder.decode(value as Uint8Array), depth);
      if (Array.isArray(value) && depth < DEEPEST) {
        return `*${value.length}\r\n${value.map((element) => encode(element, depth + 1)).join("")}`;
      }
  }
  throw new TypeError(`the command was answered with ${typeof value}, which is no reply of Redis's to it`);
}

/** An error that begins as Redis's do (`NOSCRIPT No matching script`) is the server's; others are the client's own. */
function errorReply(text: string): string | undefined {
  const line = text.replace(/^-/, "").replace(/[\r\n]+/g, " ");
  return /^[A-Z][A-Z0-9]* /.test(line) ? line : undefined;
}

function messageOf(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error);
  // Upstash's client repeats the whole command.
  return (message.split(", command was")[0] ?? "").slice(0, 500);
}

/** Without KEYS and ARGV: among them is the owner's token. */
function withoutArguments(message: string, command: Command): string {
  const secrets = command.slice(3).filter((argument) => typeof argument === "string" && argument.length > 2);
  return secrets.reduce<string>((text, secret) => text.replaceAll(secret as string, "***"), message);
}

function textOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return decoder.decode(bytes);
  } catch {
    return bytes;
  }
}
