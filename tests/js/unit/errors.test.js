import assert from "node:assert/strict";
import { test } from "node:test";
import * as errors from "../../../pkg/dist/errors.js";
import { errorOf, reasonOf } from "../../../pkg/dist/failure.js";

const all = {
  LOCK_TIMEOUT: new errors.LockTimeoutError("m", 3),
  LOCK_LOST: new errors.LockLostError("m", 5),
  LOCK_QUORUM: new errors.QuorumError("m", []),
  LOCK_CONNECTION: new errors.ConnectionError("m", "h:1", { cause: "c" }),
  LOCK_SERVER: new errors.ServerError("m", "h:1", "NOAUTH"),
  LOCK_PROTOCOL: new errors.ProtocolError("m", "h:1"),
  LOCK_OVERLOADED: new errors.OverloadedError("m"),
  LOCK_CLOSED: new errors.ClosedError("m"),
  LOCK_INTERNAL: new errors.InternalError("m"),
};

test("each class has its code and name, and is an instance of itself and of the base only", () => {
  for (const [code, error] of Object.entries(all)) {
    assert.equal(error.code, code);
    assert.equal(error.name, error.constructor.name);
    assert.ok(error instanceof Error && error instanceof errors.LockError);
    const classes = Object.values(errors).filter((type) => error instanceof type);
    assert.deepEqual(
      classes,
      [errors.LockError, error.constructor].sort(
        (a, b) => Object.values(errors).indexOf(a) - Object.values(errors).indexOf(b),
      ),
    );
    assert.match(String(error), new RegExp(`^${error.name}: m$`));
  }
  assert.equal(all.LOCK_CONNECTION.cause, "c");
});

test("instanceof holds across copies of the package", async () => {
  const copy = await import("../../../pkg/dist/errors.js?copy");
  assert.notEqual(copy.LockLostError, errors.LockLostError);
  assert.ok(all.LOCK_LOST instanceof copy.LockLostError);
  assert.ok(all.LOCK_LOST instanceof copy.LockError);
  assert.ok(!(all.LOCK_LOST instanceof copy.LockTimeoutError));
});

test("instanceof is right for foreign values and for subclasses of users", () => {
  for (const value of [null, undefined, 1, "x", {}, new Error("x"), { code: "LOCK_LOST" }]) {
    assert.ok(!(value instanceof errors.LockError));
    assert.ok(!(value instanceof errors.LockLostError));
  }
  class Mine extends errors.LockLostError {}
  assert.ok(new Mine("m", 1) instanceof Mine);
  assert.ok(new Mine("m", 1) instanceof errors.LockLostError);
  assert.ok(!(all.LOCK_LOST instanceof Mine));
});

const failure = (code, details, attempts = 0) => ({ code, node: 0, attempts, details });
const node = { name: "h:1", password: "canary", lastError: undefined };

test("the core's failures become errors with everything they carry", () => {
  const timeout = errorOf(failure(1, ["not acquired within 5 ms"], 7), node, 9);
  assert.deepEqual(
    [timeout.code, timeout.message, timeout.attempts],
    ["LOCK_TIMEOUT", "not acquired within 5 ms", 7],
  );
  assert.equal(errorOf(failure(2, []), node, 9).since, 9);
  const server = errorOf(failure(5, ["NOAUTH", "NOAUTH Authentication required."]), node, 9);
  assert.deepEqual(
    [server.code, server.prefix, server.node, server.message],
    ["LOCK_SERVER", "NOAUTH", "h:1", "h:1: NOAUTH Authentication required."],
  );
  assert.equal(errorOf(failure(6, ["depth"]), node, 9).message, "h:1: depth");
  assert.equal(errorOf(failure(7, ["full"]), node, 9).code, "LOCK_OVERLOADED");
  assert.equal(errorOf(failure(8, []), node, 9).code, "LOCK_CLOSED");
  assert.equal(errorOf(failure(99, []), node, 9).code, "LOCK_INTERNAL");
});

test("a connection's error has the socket's as its cause, if that is what it speaks of", () => {
  const error = new Error("connect ECONNREFUSED h:1");
  const failed = { ...node, lastError: { reason: error.message, error } };
  assert.equal(errorOf(failure(4, ["connect ECONNREFUSED h:1"]), failed, 9).cause, error);
  assert.equal(
    errorOf(failure(4, ["connect ECONNREFUSED h:1"]), failed, 9).message,
    "connect ECONNREFUSED h:1",
  );
  assert.equal(errorOf(failure(4, ["no answer within 20 ms"]), failed, 9).cause, undefined);
  assert.equal(errorOf(failure(4, ["no answer within 20 ms"]), failed, 9).node, "h:1");
});

test("a server that repeats the password is not repeated", () => {
  for (const text of [
    "ERR unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'u' 'canary'",
    "ERR canary is wrong",
  ]) {
    const { message } = errorOf(failure(5, ["ERR", text]), node, 9);
    assert.doesNotMatch(message, /canary/);
    assert.match(message, /ERR/);
  }
});

test("whatever a transport throws has a reason", () => {
  assert.equal(reasonOf(new Error("x")), "x");
  assert.equal(reasonOf(new TypeError("")), "TypeError");
  assert.equal(reasonOf(new AggregateError([new Error("a"), new Error("b")])), "a; b");
  assert.equal(reasonOf("text"), "text");
  assert.equal(reasonOf(undefined), "the connection was closed");
  assert.equal(reasonOf(null), "the connection was closed");
});
