// What other clients answer, and how they fail, imitated without any of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import vm from "node:vm";
import { fromCommand } from "../../../pkg/dist/entry/exports.js";
import { settles, until } from "../support/conditions.js";
import { call, openSession } from "./support/session.js";

const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));

/** What the core gets when `send` does this. */
async function outcomeOf(send, command = call("the-key")) {
  const session = await openSession(fromCommand(send));
  session.ask(command);
  await until(() => session.about.length > 0);
  return session;
}

const failing = (error) => outcomeOf(() => Promise.reject(error));

test("only functions are taken", () => {
  for (const send of [undefined, null, {}, "call"]) assert.throws(() => fromCommand(send), TypeError);
});

for (const [what, value, bytes] of [
  ["a grant", ["00ab", 1, "1785000000000000"], "*3\r\n$4\r\n00ab\r\n:1\r\n$16\r\n1785000000000000\r\n"],
  ["bigints", [1n, -1n], "*2\r\n:1\r\n:-1\r\n"],
  ["bytes", [Buffer.from("00ab"), new Uint8Array([49])], "*2\r\n$4\r\n00ab\r\n$1\r\n1\r\n"],
  ["bytes that are not UTF-8", Buffer.from([0xff]), "$3\r\n\xef\xbf\xbd\r\n"],
  ["text of several bytes", "é", "$2\r\n\xc3\xa9\r\n"],
  ["null", null, "$-1\r\n"],
  ["nothing at all", undefined, "$-1\r\n"],
  ["holes", new Array(2), "*2\r\n$-1\r\n$-1\r\n"],
  ["arrays of another realm", vm.runInNewContext("['a', 1]"), "*2\r\n$1\r\na\r\n:1\r\n"],
  // No reply of Redis's to a script: the core refuses a status.
  ["a fraction", 1.5, "+number\r\n"],
  ["a number that is not exact", 2 ** 53, "+number\r\n"],
  ["a boolean", true, "+boolean\r\n"],
  ["an object", { result: [1] }, "+object\r\n"],
  ["a map", new Map(), "+object\r\n"],
  ["a function", () => {}, "+function\r\n"],
  ["a symbol", Symbol("x"), "+symbol\r\n"],
  ["arrays without end", [[[[[[1]]]]]], "*1\r\n*1\r\n*1\r\n*1\r\n+object\r\n"],
]) {
  test(`a value becomes a reply: ${what}`, async () => {
    const { said, about } = await outcomeOf(async () => value);
    assert.equal(said, bytes);
    assert.deepEqual(about, ["00000000000000ab"]);
  });
}

const named = (name, message) => Object.assign(new Error(message), { name });
class WithGetter extends Error {
  get message() {
    return "NOPERM by a getter";
  }
}

for (const [what, error, line] of [
  ["ioredis, node-redis, Bun", new Error("NOSCRIPT No matching script."), "NOSCRIPT No matching script."],
  ["Deno", new Error("-NOSCRIPT No matching script."), "NOSCRIPT No matching script."],
  ["Upstash, in a pipeline", new Error("Command failed: NOSCRIPT No matching"), "NOSCRIPT No matching"],
  ["an error made text", "ReplyError: NOSCRIPT No matching", "NOSCRIPT No matching"],
  [
    "GLIDE, known to it",
    named("RequestError", "An error was signalled by the server: - NoScriptError: No matching script."),
    "NOSCRIPT No matching script.",
  ],
  [
    "GLIDE, NOPERM",
    new Error("An error was signalled by the server: - PermissionDenied: this user has no permissions"),
    "NOPERM this user has no permissions",
  ],
  [
    "GLIDE, READONLY",
    new Error("An error was signalled by the server: - ReadOnly: no: write"),
    "READONLY no: write",
  ],
  ["GLIDE, LOADING", new Error("An error was signalled by the server: - BusyLoadingError: x"), "LOADING x"],
  ["GLIDE, ERR", new Error("An error was signalled by the server: - ResponseError: x"), "ERR x"],
  ["GLIDE, TRYAGAIN", new Error("An error was signalled by the server: - TryAgain: x"), "TRYAGAIN x"],
  [
    "GLIDE, MOVED",
    new Error("An error was signalled by the server: - Moved: 913 127.0.0.1:1"),
    "TRYAGAIN too many redirections: MOVED 913 127.0.0.1:1",
  ],
  [
    "ioredis, TRYAGAIN, again and again",
    new Error("Too many Cluster redirections. Last error: ReplyError: TRYAGAIN Multiple keys"),
    "TRYAGAIN too many redirections: TRYAGAIN Multiple keys",
  ],
  [
    "ioredis, MOVED, again and again",
    new Error("Too many Cluster redirections. Last error: ReplyError: MOVED 913 127.0.0.1:1"),
    "TRYAGAIN too many redirections: MOVED 913 127.0.0.1:1",
  ],
  ["GLIDE, others", new Error("WRONGTYPE: Operation against a key"), "WRONGTYPE Operation against a key"],
  [
    "of another realm",
    vm.runInNewContext("new Error('NOSCRIPT of a test runner')"),
    "NOSCRIPT of a test runner",
  ],
  ["with a getter", new WithGetter(), "NOPERM by a getter"],
  ["of several lines", new Error("ERR one\r\n+OK\r\ntwo"), "ERR one +OK two"],
  [
    "repeating the command",
    new Error('WRONGTYPE Operation, command was: ["EVALSHA"]'),
    "WRONGTYPE Operation",
  ],
]) {
  test(`an error is the server's: ${what}`, async () => {
    for (const { said, failed } of [
      await failing(error),
      await outcomeOf(async () => (error instanceof Error ? error : Promise.reject(error))),
    ]) {
      assert.deepEqual(failed, []);
      assert.equal(said, `-${line}\r\n`);
    }
  });
}

for (const [what, error, says] of [
  ["node-redis", named("SocketClosedUnexpectedlyError", "Socket closed unexpectedly"), /^Socket closed/],
  ["ioredis", new Error("Stream isn't writeable and enableOfflineQueue options is false"), /writeable/],
  ["GLIDE", named("TimeoutError", "timed out"), /^timed out$/],
  [
    "ioredis, in a cluster",
    new Error("Too many Cluster redirections. Last error: Error: Connection is closed."),
    /^Too many/,
  ],
  [
    "Bun",
    Object.assign(new Error("Connection closed"), { code: "ERR_REDIS_CONNECTION_CLOSED" }),
    /^Connection/,
  ],
  ["a socket", new Error("ECONNRESET by peer"), /^ECONNRESET/],
  ["TLS", new Error("TLS handshake failed"), /^TLS/],
  ["no message", named("AbortError", ""), /^AbortError$/],
  ["nothing", undefined, /closed/],
  ["no text", Object.create(null), /cannot be displayed|object/],
  [
    "fetch",
    new TypeError("fetch failed", {
      cause: new AggregateError([new Error("connect ECONNREFUSED ::1:1")], ""),
    }),
    /^fetch failed: connect ECONNREFUSED ::1:1$/,
  ],
]) {
  test(`an error leaves the outcome unknown: ${what}`, async () => {
    const { said, failed, about, ended } = await failing(error);
    assert.equal(said, "");
    assert.match(failed[0], says);
    assert.deepEqual(about, ["00000000000000ab"]);
    assert.equal(ended, undefined);
  });
}

test("a send that throws, or returns no promise, or a strange one", async () => {
  const thrown = await outcomeOf(() => {
    throw new Error("no connection");
  });
  assert.match(thrown.failed[0], /no connection/);
  assert.equal((await outcomeOf(() => "plain")).said, "$5\r\nplain\r\n");
  const twice = {
    // biome-ignore lint/suspicious/noThenProperty: a promise that settles more than once.
    then(resolve, reject) {
      resolve("first");
      resolve("second");
      reject(new Error("third"));
    },
  };
  const session = await openSession(fromCommand(() => twice));
  session.ask(call("a"), call("b"));
  await until(() => session.said.length >= 22);
  assert.equal(session.said, "$5\r\nfirst\r\n$5\r\nfirst\r\n");
  assert.equal(session.ended, undefined);
});

test("a command waits for no other, and its failure concerns no other", async () => {
  const waiting = [];
  const session = await openSession(
    fromCommand(() => new Promise((resolve, reject) => waiting.push({ resolve, reject }))),
  );
  const nonces = ["0a", "0b", "0c"];
  const [a, b, c] = nonces.map((nonce) => call("key", "token", nonce));
  session.ask(a, b);
  session.ask(c);
  waiting[2].resolve(3);
  await until(() => session.about.length === 1);
  waiting[0].reject(new Error("gone"));
  await until(() => session.about.length === 2);
  waiting[1].resolve(2);
  await until(() => session.about.length === 3);
  assert.deepEqual(session.about, ["0c", "0a", "0b"]);
  assert.equal(session.said, ":3\r\n:2\r\n");
  assert.deepEqual(session.failed, ["gone"]);
  assert.equal(session.ended, undefined);
});

test("after the end, nothing is reported, and no rejection goes unhandled", async () => {
  const waiting = [];
  const session = await openSession(
    fromCommand(() => new Promise((resolve, reject) => waiting.push({ resolve, reject }))),
  );
  session.ask(call("a"), call("b"), call("never settles"));
  session.close();
  waiting[0].resolve(1);
  waiting[1].reject(new Error("late"));
  await new Promise(setImmediate);
  assert.deepEqual({ about: session.about, ended: session.ended }, { about: [], ended: undefined });
  assert.deepEqual(unhandled, []);
});

test("what is secret is hidden, also where it is cut, quoted, or a part of something", async () => {
  const token = 'canary-"tök\\en"';
  for (const repeat of [
    (args) => args.join(" "),
    (args) => JSON.stringify(args),
    (args) => `${"x".repeat(490)}${args[5]}`,
    (args) => `${args[5]}${args[5]} ${args[3]}`,
  ]) {
    for (const prefix of ["", "ERR "]) {
      const error = (args) => Object.assign(new Error(prefix + repeat(args)), { command: { args } });
      const command = call(`lock:${token}-and-more`, token);
      const { said, failed } = await outcomeOf(async (args) => Promise.reject(error(args)), command);
      const shown = `${said}${inspect(failed)}`;
      assert.doesNotMatch(shown, /canary|en\\?"/, shown);
    }
  }
});

test("a key that is called like an error changes nothing about the error", async () => {
  const error = new Error("NOSCRIPT No matching script.");
  const { said } = await outcomeOf(() => Promise.reject(error), call("NOSCRIPT", "matching"));
  assert.equal(said, "-NOSCRIPT No *** script.\r\n");
});

test("arguments are strings where they are UTF-8, else Buffers, which all clients take", async () => {
  const seen = [];
  const session = await openSession(fromCommand(async (args) => seen.push(args)));
  const names = ["plain", "a\0b", "\ufeff", "\r\n$1\r\n", "🔒", "x".repeat(65_536)];
  session.ask(...names.map((name) => call(name)));
  session.ask(["EVAL", "s", "1", Buffer.from([0xed, 0xa0, 0x80])]);
  await settles(until(() => seen.length === names.length + 1));
  assert.deepEqual(
    seen.slice(0, -1).map((args) => args[3]),
    names,
  );
  assert.ok(Buffer.isBuffer(seen.at(-1)[3]));
  assert.equal(seen.at(-1)[3].toString("hex"), "eda080");
});
