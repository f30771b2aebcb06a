// Which server granted or extended a lock, and when: read from what the connections carried.
import { createHash } from "node:crypto";
import { sourceOf } from "../../js/support/server-state.js";

/** Scripts that make a lock last, by what calls name them. */
const LASTING = new Map(
  ["exclusive_acquire", "fair_acquire", "multi_acquire", "extend"].flatMap((name) => {
    const source = sourceOf(name);
    return [source, createHash("sha1").update(source).digest("hex")].map((word) => [word, name]);
  }),
);

/** Of a key, what comes before the lock's name. */
const PREFIX = "lock:".length;

/**
 * The answers by which locks were granted or extended, those with that token or all: { server, owner, lock, answered, told } each:
 * which of the process's clients got it, for which lock, and the times at which the server gave it and that client got it.
 */
export const answersTo = (wire, process, token) =>
  answers(
    wire,
    process,
    token,
    () => true,
    (result) => result > 0,
  );

/** The answers to extensions with that token that say that it does not hold the lock; as above. */
export const denialsTo = (wire, process, token) =>
  answers(
    wire,
    process,
    token,
    (script) => script === "extend",
    (result) => result === 0,
  );

function answers(wire, process, token, isMeant, isLike) {
  const answered = wire.streams(process, "answered");
  const told = wire.streams(process, "told");
  return wire.streams(process, "delivered").flatMap((requests) => {
    const [given, got] = [answered, told].map((streams) => streams.find((each) => each.isOf(requests)));
    const { server, owner } = requests;
    return callsIn(requests.text, token).flatMap(({ script, lock, nonce, place }) => {
      if (!isMeant(script)) return [];
      const [from, to] = [given, got].map((stream) => endOfResult(stream?.text ?? "", nonce, place, isLike));
      return to === undefined
        ? []
        : [{ server, owner, lock: lock.slice(PREFIX), answered: given.at(from), told: got.at(to) }];
    });
  });
}

/**
 * The calls of such scripts that name the token, or all: the script, the lock key of the token, the nonce, and the place of its result
 * among those of the call.
 */
function callsIn(text, token) {
  return [...text.matchAll(/\$\d+\r\nEVAL(?:SHA)?\r\n/g)].flatMap(({ index }) => {
    const [, word, count, ...words] = bulks(text, index);
    const script = LASTING.get(word);
    const [keys, values] = [words.slice(0, Number(count)), words.slice(Number(count))];
    if (script === undefined || (token !== undefined && !values.includes(token))) return [];
    const { place, width } = placeOf(script, values, token);
    return [{ script, lock: keys[place * width], nonce: values[0], place }];
  });
}

/** Which of the call's results is that of the token, and how many keys each lock has. ARGV is as the scripts' headers say. */
function placeOf(script, values, token) {
  const at = values.indexOf(token);
  if (at >= 0 && script === "extend") return { place: at - 2, width: 1 };
  const width = values[2] === "" ? 1 : 2;
  if (at >= 0 && script === "exclusive_acquire") return { place: Math.floor((at - 3) / width), width };
  return { place: 0, width: 1 };
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

/** The last character of the result at that place behind the nonce, if it is a number like that. */
function endOfResult(text, nonce, place, isLike) {
  const mark = `\r\n${nonce}\r\n`;
  let at = text.indexOf(mark);
  if (at < 0) return undefined;
  at += mark.length;
  for (let before = 0; before < place; before += 1) {
    // An error of one lock alone is a bulk string.
    const end = text.indexOf("\r\n", at);
    if (end < 0) return undefined;
    at = end + 2 + (text[at] === "$" ? Number(text.slice(at + 1, end)) + 2 : 0);
  }
  const end = text.indexOf("\r\n", at);
  return text[at] === ":" && end >= 0 && isLike(Number(text.slice(at + 1, end))) ? end + 1 : undefined;
}
