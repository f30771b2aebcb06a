import assert from "node:assert/strict";
import { test } from "node:test";
import { toLockError } from "../../../pkg/dist/driver/to-error.js";
import * as errors from "../../../pkg/dist/errors/errors.js";
import { reasonOf } from "../../../pkg/dist/errors/text.js";

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
  const copy = await import("../../../pkg/dist/errors/errors.js?copy");
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
const node = { name: "h:1", tls: false, lastError: undefined };

test("the core's failures become errors with everything they carry", () => {
  const timeout = toLockError(failure(1, ["not acquired within 5 ms"], 7), [node], 9);
  assert.deepEqual(
    [timeout.code, timeout.message, timeout.attempts],
    ["LOCK_TIMEOUT", "not acquired within 5 ms", 7],
  );
  assert.equal(toLockError(failure(2, []), [node], 9).since, 9);
  const server = toLockError(failure(5, ["NOAUTH", "NOAUTH Authentication required."]), [node], 9);
  assert.deepEqual(
    [server.code, server.prefix, server.node, server.message],
    ["LOCK_SERVER", "NOAUTH", "h:1", "h:1: NOAUTH Authentication required."],
  );
  assert.equal(toLockError(failure(6, ["depth"]), [node], 9).message, "h:1: depth");
  assert.equal(toLockError(failure(7, ["full"]), [node], 9).code, "LOCK_OVERLOADED");
  assert.equal(toLockError(failure(8, []), [node], 9).code, "LOCK_CLOSED");
  assert.equal(toLockError(failure(99, []), [node], 9).code, "LOCK_INTERNAL");
});

test("a connection's error has the socket's as its cause, if that is what it speaks of", () => {
  const error = new Error("connect ECONNREFUSED h:1");
  const failed = { ...node, lastError: { reason: error.message, error } };
  assert.equal(toLockError(failure(4, ["connect ECONNREFUSED h:1"]), [failed], 9).cause, error);
  assert.equal(
    toLockError(failure(4, ["connect ECONNREFUSED h:1"]), [failed], 9).message,
    "connect ECONNREFUSED h:1",
  );
  assert.equal(toLockError(failure(4, ["no answer within 20 ms"]), [failed], 9).cause, undefined);
  assert.equal(toLockError(failure(4, ["no answer within 20 ms"]), [failed], 9).node, "h:1");
});

test("a TLS handshake that is not answered: the message asks for TLS at the other end", () => {
  const late = failure(4, ["connection timed out (connectTimeout)"]);
  assert.match(toLockError(late, [{ ...node, tls: true }], 9).message, /TLS/);
  assert.doesNotMatch(toLockError(late, [node], 9).message, /TLS/);
  assert.doesNotMatch(toLockError(failure(4, ["refused"]), [{ ...node, tls: true }], 9).message, /TLS/);
});

test("a quorum's failure has one vote per node, each with its own error", () => {
  const reset = new Error("read ECONNRESET");
  const nodes = [
    node,
    { ...node, name: "h:2" },
    { ...node, name: "h:3", lastError: { reason: reset.message, error: reset } },
    { ...node, name: "h:4" },
    { ...node, name: "h:5" },
    { ...node, name: "h:6" },
    { ...node, name: "h:7" },
  ];
  const details = [
    "no majority of 7 servers",
    ...["granted", "", "held", ""],
    ...["LOCK_CONNECTION", "read ECONNRESET", "LOCK_PROTOCOL", "depth", "LOCK_OVERLOADED", "full"],
    ...["ERR", "ERR is wrong", "granted", "granted by a liar"],
  ];
  const error = toLockError({ code: 3, node: -1, attempts: 2, details }, nodes, 9);
  assert.ok(error instanceof errors.QuorumError);
  assert.equal(error.message, "no majority of 7 servers");
  assert.deepEqual(
    error.votes.map(({ node, outcome, error }) => [node, outcome, error?.code, error?.message]),
    [
      ["h:1", "granted", undefined, undefined],
      ["h:2", "held", undefined, undefined],
      ["h:3", "failed", "LOCK_CONNECTION", "h:3: read ECONNRESET"],
      ["h:4", "failed", "LOCK_PROTOCOL", "h:4: depth"],
      ["h:5", "failed", "LOCK_OVERLOADED", "full"],
      ["h:6", "failed", "LOCK_SERVER", "h:6: ERR is wrong"],
      ["h:7", "failed", "LOCK_SERVER", "h:7: granted by a liar"],
    ],
  );
  assert.equal("error" in error.votes[0], false);
  assert.equal(error.votes[2].error.cause, reset);
  assert.equal(error.votes[5].error.prefix, "ERR");
  assert.equal(error.cause, error.votes[2].error);
});

test("a failure that is not one node's names them all", () => {
  const error = toLockError(
    { ...failure(4, ["no majority answered"]), node: -1 },
    [node, { ...node, name: "h:2" }],
    9,
  );
  assert.equal(error.node, "h:1, h:2");
  assert.equal(error.message, "h:1, h:2: no majority answered");
});

test("whatever a transport throws has a reason", () => {
  assert.equal(reasonOf(new Error("x")), "x");
  assert.equal(reasonOf(new TypeError("")), "TypeError");
  assert.equal(reasonOf(new AggregateError([new Error("a"), new Error("b")])), "a; b");
  assert.equal(reasonOf("text"), "text");
  assert.equal(reasonOf(undefined), "the connection was closed");
  assert.equal(reasonOf(null), "the connection was closed");
});
