// What every error of the package has to be like.
import assert from "node:assert/strict";
import { inspect } from "node:util";
import { LockError } from "./redlatch.js";

/** What a loss says of its cause: our clock, or a server's word. */
export const ENDED = /validity .* has ended/;
export const NOT_OURS = /the server says .* no longer ours/;

/** Checks class, code, prefix, node and the readability of the message. `says`: patterns that must occur in it. */
export function assertLockError(error, { type, code, prefix, port, says = [] }) {
  assert.ok(error instanceof type, `${type.name} expected, got ${inspect(error)}`);
  assert.ok(error instanceof LockError && error instanceof Error);
  assert.equal(error.code, code);
  assert.equal(error.name, type.name);
  if (prefix !== undefined) assert.equal(error.prefix, prefix);
  if (port !== undefined) {
    assert.match(String(error.node), new RegExp(`:${port}$`), "`node` is the server's address");
    assert.ok(error.message.includes(String(error.node)), `the message names the server: ${error.message}`);
  }
  assert.ok(error.message.length >= 20, `a sentence, not a word: ${error.message}`);
  assert.doesNotMatch(error.message, /undefined|\[object|NaN|null|\r|\n/, "the message is made of words");
  for (const pattern of says) assert.match(error.message, pattern);
}

/** Everything of `value` that a log could show, causes and hidden properties included. */
export function everythingShown(value) {
  const parts = [
    inspect(value, { depth: 12, showHidden: true, maxArrayLength: null, maxStringLength: null }),
  ];
  for (let at = value; at instanceof Error; at = at.cause)
    parts.push(at.message, String(at.stack), String(at));
  try {
    parts.push(JSON.stringify(value) ?? "");
  } catch {
    // Circular or BigInt: inspect() has shown it.
  }
  return parts.join("\n");
}
