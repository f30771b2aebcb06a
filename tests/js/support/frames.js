// Finds whole RESP frames in a stream. Written independently of the package, so that its mistakes cannot hide here.

const AGGREGATES = new Map([
  ["*", 1],
  ["~", 1],
  [">", 1],
  ["%", 2],
]);
const BULKS = new Set(["$", "=", "!"]);

/** The offset after the frame that starts at `start`, or -1 if it is not complete yet. */
export function frameEnd(buffer, start = 0) {
  let open = 1;
  let at = start;
  while (open > 0) {
    const line = buffer.indexOf("\r\n", at, "latin1");
    if (line < 0) return -1;
    const kind = String.fromCharCode(buffer[at]);
    const length = Number(buffer.toString("latin1", at + 1, line));
    at = line + 2;
    open -= 1;
    if (AGGREGATES.has(kind)) open += Math.max(length, 0) * AGGREGATES.get(kind);
    else if (BULKS.has(kind) && length >= 0) at += length + 2;
    if (at > buffer.length) return -1;
  }
  return at;
}

/** Collects chunks and calls `onFrame(frame)` for each whole frame. */
export function frameSplitter(onFrame) {
  let rest = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = frameEnd(rest); end >= 0; end = rest.length > 0 ? frameEnd(rest) : -1) {
      const frame = rest.subarray(0, end);
      rest = rest.subarray(end);
      onFrame(frame);
    }
  };
}

/** A command as RESP bytes. */
export function encodeCommand(args) {
  const parts = [`*${args.length}\r\n`];
  for (const arg of args) {
    const bytes = Buffer.from(typeof arg === "number" ? String(arg) : arg);
    parts.push(`$${bytes.length}\r\n`, bytes, "\r\n");
  }
  return Buffer.concat(parts.map((part) => Buffer.from(part)));
}

/** The value of one whole RESP2 frame; an error reply becomes an Error value. */
export function decodeFrame(frame) {
  let at = 0;
  const value = () => {
    const kind = String.fromCharCode(frame[at]);
    const line = frame.indexOf("\r\n", at, "latin1");
    const text = frame.toString("utf8", at + 1, line);
    at = line + 2;
    if (kind === "+") return text;
    if (kind === "-") return new Error(text);
    if (kind === ":") return Number(text);
    if (kind === "_") return null;
    const length = Number(text);
    if (length < 0) return null;
    if (kind === "$") {
      at += length + 2;
      return frame.toString("utf8", at - length - 2, at - 2);
    }
    if (kind === "*") return Array.from({ length }, value);
    throw new Error(`this test client does not read replies of kind ${kind}`);
  };
  return value();
}
