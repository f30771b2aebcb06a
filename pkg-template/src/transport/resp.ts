/**
 * The server's side of Redis's protocol (RESP 2), as far as the core uses it, for transports whose other end takes commands
 * and returns replies as values.
 */
import type { Command } from "./command.js";

const LINE_FEED = 10;
const ZERO = 48;
/** The scripts' replies are only one level deep. */
const DEEPEST = 4;

const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes the core's output: whole commands, each an array of bulk strings. */
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
    return argumentOf(part);
  };
  const commands: Command[] = [];
  while (at < bytes.length) commands.push(Array.from({ length: number() }, argument));
  return commands;
}

/** A reply. A value that no server can have sent becomes a status that the core does not expect, and refuses. */
export function encodeReply(value: unknown): string {
  return encode(value, 0);
}

/** An error reply; `line` is its prefix and text. */
export function encodeError(line: string): string {
  return `-${line}\r\n`;
}

/** The bytes of RESP. */
export function encodeText(resp: string): Uint8Array {
  return encoder.encode(resp);
}

/** The bytes of a message to the core: the command with this nonce was answered by this reply. */
export function encodeAnswer(nonce: string, reply: string): Uint8Array {
  return message("answer", nonce, reply);
}

/** The bytes of a message to the core: the command with this nonce will get no answer, and its outcome is unknown. */
export function encodeUnanswered(nonce: string, reason: string): Uint8Array {
  return message("unanswered", nonce, encode(reason, 0));
}

function message(kind: string, nonce: string, content: string): Uint8Array {
  return encoder.encode(`>3\r\n${encode(kind, 0)}${encode(nonce, 0)}${content}`);
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
      if (ArrayBuffer.isView(value)) return encode(lenient.decode(value as Uint8Array), depth);
      if (Array.isArray(value) && depth < DEEPEST) {
        return `*${value.length}\r\n${Array.from(value, (element) => encode(element, depth + 1)).join("")}`;
      }
  }
  return `+${typeof value}\r\n`;
}

interface Buffers {
  from(buffer: ArrayBufferLike, offset: number, length: number): Uint8Array;
}

/** Bytes are passed as a Buffer where there is one: most clients accept nothing else, and some would send "237,160,128". */
function argumentOf(bytes: Uint8Array): string | Uint8Array {
  try {
    return strict.decode(bytes);
  } catch {
    const { Buffer } = globalThis as { Buffer?: Buffers };
    return Buffer?.from(bytes.buffer, bytes.byteOffset, bytes.length) ?? bytes;
  }
}
