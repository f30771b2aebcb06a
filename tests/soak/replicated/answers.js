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

/** Of a key, what comes before the lock's name. */
const PREFIX = "lock:".length;

/**
 * The answers by which locks were granted or extended, those with that token or all: { server, owner, lock, answered, told } each:
 * which of the process's clients got it, for which lock, and the times at which the server gave it and that client got it.
 */
export function answersTo(wire, process, token) {
  const answered = wire.streams(process, "answered");
  const told = wire.streams(process, "told");
  return wire.streams(process, "delivered").flatMap((requests) => {
    const [given, got] = [answered, told].map((streams) => streams.find((each) => each.isOf(requests)));
    const { server, owner } = requests;
    return callsIn(requests.text, token).flatMap(({ lock, nonce }) => {
      const [from, to] = [given, got].map((stream) => endOfYes(stream?.text ?? "", nonce));
      return to === undefined
        ? []
        : [{ server, owner, lock: lock.slice(PREFIX), answered: given.at(from), told: got.at(to) }];
    });
  });
}

/** The calls of such scripts: the first key and the nonce. */
function callsIn(text, token) {
  return [...text.matchAll(/\$\d+\r\nEVAL(?:SHA)?\r\n/g)].flatMap(({ index }) => {
    const [, script, count, lock, ...more] = bulks(text, index);
    const isMeant = LASTING.has(script) && (token === undefined || more.includes(token));
    return isMeant ? [{ lock, nonce: more[Number(count) - 1] }] : [];
  });
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
