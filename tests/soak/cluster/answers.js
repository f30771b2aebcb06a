// Which server granted or extended a lock, and when: read from what the connections carried.
import { createHash } from "node:crypto";
import { sourceOf } from "../../js/support/server-state.js";

/** Scripts that make a lock last, by what calls name them. */
const LASTING = new Set(
  ["exclusive_acquire", "fair_acquire", "multi_acquire", "extend"].flatMap((name) => {
    const source = sourceOf(name);
    return [source, createHash("sha1").update(source).digest("hex")];
  }),
);

/**
 * The answers by which the lock with that token was granted or extended: { server, owner, answered, told } each: which of the process's
 * clients got it, and the times at which the server gave it and that client got it.
 */
export function answersFor(wire, process, token) {
  const answered = wire.streams(process, "answered");
  const told = wire.streams(process, "told");
  return wire.streams(process, "delivered").flatMap((requests) => {
    const [given, got] = [answered, told].map((streams) => streams.find((each) => each.isOf(requests)));
    const { server, owner } = requests;
    return noncesOf(requests.text, token).flatMap((nonce) => {
      const [from, to] = [given, got].map((stream) => endOfYes(stream?.text ?? "", nonce));
      return to === undefined ? [] : [{ server, owner, answered: given.at(from), told: got.at(to) }];
    });
  });
}

/** The nonces of the calls of such scripts for a token. */
function noncesOf(text, token) {
  const nonces = [];
  const mark = `\r\n${token}\r\n`;
  for (let at = text.indexOf(mark); at >= 0; at = text.indexOf(mark, at + mark.length)) {
    const name = text.lastIndexOf("\r\nEVAL", at);
    const [, script, count, ...more] = bulks(text, text.lastIndexOf("$", name));
    if (LASTING.has(script)) nonces.push(more[Number(count)]);
  }
  return nonces;
}

/** The bulk strings from there, as long as one follows the other. */
function bulks(text, start) {
  const found = [];
  for (let at = start; text[at] === "$"; ) {
    const line = text.indexOf("\r\n", at);
    const end = line + 2 + Number(text.slice(at + 1, line));
    found.push(text.slice(line + 2, end));
    at = end + 2;
  }
  return found;
}

/** The last character of the answer to a call, if it is yes: a positive number behind the nonce. */
function endOfYes(text, nonce) {
  const mark = `\r\n${nonce}\r\n:`;
  const at = text.indexOf(mark);
  const end = at < 0 ? -1 : text.indexOf("\r\n", at + mark.length);
  return end >= 0 && Number(text.slice(at + mark.length, end)) > 0 ? end + 1 : undefined;
}
