import assert from "node:assert/strict";
import { test } from "node:test";
import { CAUSE, CODE, VOTE } from "../../../pkg/dist/core/wire.js";
import { toLockError as errorOf } from "../../../pkg/dist/driver/to-error.js";
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

test("an error names its keys, quoted and cut at 200 characters", () => {
  const messageOf = (...keys) => new errors.LockTimeoutError("late", 1, { keys }).message;
  assert.equal(messageOf("a"), 'lock "a": late');
  assert.equal(messageOf("a", "b"), 'lock "a", "b": late');
  assert.equal(messageOf('a"\n\x1b[31m'), 'lock "a\\"\\n\\u001b[31m": late');
  assert.equal(messageOf("x".repeat(200)), `lock "${"x".repeat(200)}": late`);
  assert.equal(messageOf("x".repeat(201)), `lock "${"x".repeat(200)}"...: late`);
  assert.equal(messageOf("x".repeat(250), "y"), `lock "${"x".repeat(200)}"..., ...: late`);
  assert.equal(messageOf(`${"x".repeat(199)}😀`), `lock "${"x".repeat(199)}\\ud83d"...: late`);
  assert.ok(messageOf(...Array.from({ length: 10_000 }, (_, index) => `key-${index}`)).length < 250);
  const { keys, message } = new errors.ConnectionError("gone", "h:1");
  assert.deepEqual([keys, message], [[], "gone"]);
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

const record = (code, message, more = {}) => ({
  code,
  node: 0,
  cause: CAUSE.unknown,
  connection: 0,
  attempts: 0,
  prefix: "",
  message,
  votes: [],
  reason: undefined,
  ...more,
});
const node = { name: "h:1", transport: {}, tls: false, lastError: undefined };
const listOf = (nodes) => ({
  at: (index) => nodes[index],
  names: nodes.map(({ name }) => name).join(", "),
});
/** The error of a call that locks no key. */
const toLockError = (error, nodes, since) => errorOf(error, listOf(nodes), since, { keys: [], site: {} });

test("the core's errors become LockErrors with all their properties", () => {
  const timeout = toLockError(record(CODE.timeout, "not acquired within 5 ms", { attempts: 7 }), [node], 9);
  assert.deepEqual(
    [timeout.code, timeout.message, timeout.attempts],
    ["LOCK_TIMEOUT", "not acquired within 5 ms", 7],
  );
  const lost = toLockError(record(CODE.lost, "the lock is not held"), [node], 9);
  assert.deepEqual([lost.code, lost.message, lost.since], ["LOCK_LOST", "the lock is not held", 9]);
  const reply = record(CODE.server, "NOAUTH Authentication required.", {
    prefix: "NOAUTH",
  });
  const server = toLockError(reply, [node], 9);
  assert.deepEqual(
    [server.code, server.prefix, server.node, server.message],
    [
      "LOCK_SERVER",
      "NOAUTH",
      "h:1",
      "h:1: NOAUTH Authentication required; give the password in the URL (redis://:password@host), or by `credentials`",
    ],
  );
  assert.equal(toLockError(record(CODE.protocol, "depth"), [node], 9).message, "h:1: depth");
  assert.equal(toLockError(record(CODE.overloaded, "full"), [node], 9).code, "LOCK_OVERLOADED");
  assert.equal(toLockError(record(CODE.closed, "closed"), [node], 9).code, "LOCK_CLOSED");
  assert.equal(toLockError(record(99, "new"), [node], 9).code, "LOCK_INTERNAL");
});

test("a connection error has the transport's error as its cause, if that ended the same connection", () => {
  const error = new Error("connect ECONNREFUSED h:1");
  const nodes = [{ ...node, lastError: { connection: 3, error } }];
  const refused = record(CODE.connection, error.message, {
    cause: CAUSE.transport,
    connection: 3,
  });
  assert.equal(toLockError(refused, nodes, 9).cause, error);
  assert.equal(
    toLockError(refused, nodes, 9).message,
    "connect ECONNREFUSED h:1; is a server running there?",
  );
  const reset = { ...refused, message: "read ECONNRESET" };
  assert.doesNotMatch(toLockError(reset, nodes, 9).message, /;/);
  assert.equal(toLockError({ ...refused, connection: 2 }, nodes, 9).cause, undefined);
  const silent = record(CODE.connection, "no answer within 20 ms");
  assert.equal(toLockError(silent, nodes, 9).cause, undefined);
  assert.equal(toLockError(silent, nodes, 9).node, "h:1");
  assert.equal(toLockError(silent, nodes, 9).message, "h:1: no answer within 20 ms");
});

test("an error reply that does not say what to do gets a remedy", () => {
  const own = { ...node, transport: {} };
  const carried = { ...node, transport: { carrier: "commands" } };
  const message = (text, where) =>
    toLockError(record(CODE.server, text, { prefix: text.split(" ")[0] }), [where], 9).message;
  assert.match(message("WRONGPASS invalid username-password pair", own), /check user and password/);
  assert.match(message("ERR DB index is out of range", own), /change the number in the URL/);
  assert.match(message("NOAUTH Authentication required.", carried), /the client behind the transport/);
  for (const where of [own, carried])
    assert.match(
      message("WRONGTYPE Operation against a key", where),
      /use another key, or another `prefix`$/,
    );
  // Over REST, the endpoint's own text says what to check.
  for (const text of ["WRONGPASS the REST token was rejected", "ERR DB index is out of range"])
    assert.equal(message(text, carried), `h:1: ${text}`);
  assert.equal(message("LOADING Redis is loading", own), "h:1: LOADING Redis is loading");
});

test("a TLS handshake without an answer: the message asks for TLS at the other end", () => {
  const tls = { ...node, tls: true };
  const late = record(CODE.connection, "no connection in time", {
    cause: CAUSE.connectTimeout,
  });
  assert.match(toLockError(late, [tls], 9).message, /TLS/);
  assert.doesNotMatch(toLockError(late, [node], 9).message, /TLS/);
  assert.doesNotMatch(toLockError(record(CODE.connection, "refused"), [tls], 9).message, /TLS/);
});

test("a QuorumError has one vote per server, each with its own error", () => {
  const reset = new Error("h:3: read ECONNRESET");
  const nodes = ["h:1", "h:2", "h:3", "h:4", "h:5", "h:6", "h:7", "h:8"].map((name) => ({ ...node, name }));
  nodes[2].lastError = { connection: 8, error: reset };
  const failed = (index, code, message, more) => ({
    node: index,
    outcome: VOTE.failed,
    error: record(code, message, { node: index, ...more }),
  });
  const votes = [
    { node: 0, outcome: VOTE.granted, error: undefined },
    { node: 1, outcome: VOTE.held, error: undefined },
    failed(2, CODE.connection, reset.message, {
      cause: CAUSE.transport,
      connection: 8,
    }),
    failed(3, CODE.protocol, "depth"),
    failed(4, CODE.overloaded, "full"),
    failed(5, CODE.server, "ERR is wrong", { prefix: "ERR" }),
    failed(6, CODE.server, "granted by a liar", { prefix: "granted" }),
    { node: 7, outcome: VOTE.undecided, error: undefined },
  ];
  // The core says whose error is the cause.
  const reason = record(CODE.protocol, "depth", { node: 3 });
  const error = toLockError(
    record(CODE.quorum, "no majority of 8 votes", { node: -1, votes, reason }),
    nodes,
    9,
  );
  assert.ok(error instanceof errors.QuorumError);
  assert.equal(error.message, "no majority of 8 votes");
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
      ["h:8", "undecided", undefined, undefined],
    ],
  );
  assert.equal("error" in error.votes[0], false);
  assert.equal(error.votes[2].error.cause, reset);
  assert.equal(error.votes[5].error.prefix, "ERR");
  assert.equal(error.cause, error.votes[3].error);
});

test("an error that does not concern one server alone names them all", () => {
  const nodes = [node, { ...node, name: "h:2" }];
  const error = toLockError(record(CODE.connection, "no majority answered", { node: -1 }), nodes, 9);
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
