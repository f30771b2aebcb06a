// Requests and answers of a REST endpoint, with a fetch of the test's own.
import assert from "node:assert/strict";
import { test } from "node:test";
import { fromRest } from "../../../pkg/dist/entry/exports.js";
import { until } from "../support/conditions.js";
import { call, openSession } from "./support/session.js";

const OPTIONS = { url: "https://db.example/", token: "canary-token" };
const answer = (status, body) => ({
  status,
  json: async () => (body === undefined ? JSON.parse("<html>") : body),
});

/** A session whose requests are kept in `requests`, to be answered by the test: { url, request, body, resolve, reject }. */
async function startSession(options = {}) {
  const requests = [];
  const fetch = (url, request) =>
    new Promise((resolve, reject) =>
      requests.push({ url, request, body: JSON.parse(request.body), resolve, reject }),
    );
  const session = await openSession(fromRest({ ...OPTIONS, fetch, ...options }));
  return { session, requests };
}

async function outcomeOf(status, body) {
  const { session, requests } = await startSession();
  session.ask(call("key"));
  requests[0].resolve(answer(status, body));
  await until(() => session.said || session.ended);
  return session;
}

test("a command is a request, and those that are written at once are one", async () => {
  const { session, requests } = await startSession();
  session.ask(call("a"));
  session.ask(call("b"), call("c"));
  assert.deepEqual(
    requests.map(({ url }) => url),
    ["https://db.example", "https://db.example/pipeline"],
  );
  assert.deepEqual(requests[0].body, call("a"));
  assert.deepEqual(requests[1].body, [call("b"), call("c")]);
  for (const { request } of requests) {
    assert.equal(request.method, "POST");
    assert.equal(request.redirect, "manual");
    assert.equal(request.headers.authorization, "Bearer canary-token");
  }
  requests[1].resolve(answer(200, [{ result: "2" }, { error: "WRONGTYPE x" }]));
  requests[0].resolve(answer(200, { result: ["1", 1] }));
  await until(() => session.said.includes("WRONGTYPE"));
  assert.equal(session.said, "*2\r\n$1\r\n1\r\n:1\r\n$1\r\n2\r\n-WRONGTYPE x\r\n");
});

test("four requests at a time; the commands that wait meanwhile share the next", async () => {
  const { session, requests } = await startSession();
  for (let index = 0; index < 150; index += 1) session.ask(call(`k${index}`));
  assert.equal(requests.length, 4);
  requests[2].resolve(answer(200, { result: 2 }));
  await until(() => requests.length === 5);
  assert.equal(requests[4].body.length, 100, "no larger than services take");
  requests[3].reject(new TypeError("fetch failed"));
  await until(() => session.ended);
  await new Promise(setImmediate);
  assert.equal(requests.length, 5, "after the end nothing is sent any more");
});

test("after the end, requests are aborted and what waits is dropped", async () => {
  const { session, requests } = await startSession();
  for (let index = 0; index < 9; index += 1) session.ask(call(`k${index}`));
  session.close();
  for (const { request, reject } of requests) {
    assert.equal(request.signal.aborted, true);
    reject(request.signal.reason);
  }
  await new Promise(setImmediate);
  assert.equal(requests.length, 4);
  assert.equal(session.ended, undefined);
});

test("a name that JSON cannot carry fails by itself", async () => {
  const { session, requests } = await startSession();
  const odd = [...call("k").slice(0, 3), Buffer.from([0xed, 0xa0, 0x80]), "n", "t"];
  session.ask(call("a"), odd, call("c"));
  assert.deepEqual(requests[0].body, [call("a"), call("c")]);
  requests[0].resolve(answer(200, [{ result: 1 }, { result: 2 }]));
  await until(() => session.said.endsWith(":2\r\n"));
  assert.match(session.said, /^:1\r\n-ERR over REST, keys and tokens must be valid Unicode\r\n:2\r\n$/);
});

for (const [status, body, said] of [
  [200, { result: null }, "$-1\r\n"],
  [200, { error: "NOSCRIPT No matching script." }, "-NOSCRIPT No matching script.\r\n"],
  [400, { error: "WRONGTYPE Operation" }, "-WRONGTYPE Operation\r\n"],
  [400, { error: "NOPERM this user has no permissions" }, "-NOPERM this user has no permissions\r\n"],
  [400, { error: "the body is no JSON" }, "-ERR the body is no JSON\r\n"],
  [429, undefined, "-TRYAGAIN the REST endpoint received too many requests (HTTP 429)\r\n"],
  ...[401, 403].flatMap((status) =>
    [{ error: "Unauthorized" }, undefined].map((body) => [
      status,
      body,
      `-WRONGPASS the REST token was rejected (HTTP ${status}); check fromRest's token and url\r\n`,
    ]),
  ),
]) {
  test(`an answer that tells the outcome: HTTP ${status}, ${JSON.stringify(body)}`, async () => {
    assert.equal((await outcomeOf(status, body)).said, said);
  });
}

for (const [status, body, says] of [
  [200, undefined, /HTTP 200 \(no JSON\); check fromRest's url/],
  [200, { OK: 1 }, /neither result nor error/],
  [200, "text", /neither result nor error/],
  [200, [], /neither result nor error/],
  [404, undefined, /HTTP 404 \(no JSON\); check fromRest's url/],
  [404, { message: "Not found" }, /HTTP 404 \(no result\)/],
  // It may have been run: this must not pass for an error reply, which says that it has not.
  [500, { error: "ERR canary-token: canary-token failed" }, /HTTP 500 \(ERR \*\*\*: \*\*\* failed\)/],
  [503, undefined, /HTTP 503 \(no JSON\)/],
  [307, undefined, /redirects \(HTTP 307\); give fromRest its new url/],
  [0, undefined, /redirects \(HTTP 0\)/],
]) {
  test(`an answer that leaves the outcome unknown: HTTP ${status}, ${JSON.stringify(body)}`, async () => {
    const { said, ended } = await outcomeOf(status, body);
    assert.equal(said, "");
    assert.match(ended.error.message, says);
  });
}

test("a pipeline's answer that is too short, or refused as a whole", async () => {
  for (const [status, body, said, ended] of [
    [200, [{ result: 1 }], ":1\r\n", /neither/],
    [400, { error: "ERR too large" }, "-ERR too large\r\n-ERR too large\r\n", undefined],
  ]) {
    const { session, requests } = await startSession();
    session.ask(call("a"), call("b"));
    requests[0].resolve(answer(status, body));
    await until(() => session.ended || session.said.length > 20);
    if (ended === undefined) assert.equal(session.said, said);
    else assert.match(session.ended.error.message, ended);
  }
});

test("the REST token is hidden, whoever repeats it", async () => {
  const { session, requests } = await startSession();
  session.ask(call("a"));
  requests[0].reject(new TypeError("Bearer canary-token is not a header"));
  await until(() => session.ended);
  assert.match(session.ended.error.message, /Bearer \*\*\* is not a header/);
});

test("bad options", () => {
  for (const url of [
    5,
    "db.example",
    "redis://db.example",
    "https://",
    "https://user:pw@db.example",
    "https://db.example?token=canary",
    "https://db.example#x",
    "https://db.example\\@stranger",
    "https://db example",
  ]) {
    assert.throws(
      () => fromRest({ ...OPTIONS, url }),
      (error) =>
        error instanceof TypeError && /fromRest: url/.test(error.message) && !/canary|pw/.test(error.message),
      String(url),
    );
  }
  for (const token of ["a b", "a\nb", "tök", 5]) {
    assert.throws(() => fromRest({ ...OPTIONS, token }), /^TypeError: fromRest: token/, String(token));
  }
  assert.throws(() => fromRest({ url: OPTIONS.url }), /^TypeError: fromRest: token must be a string/);
  assert.throws(() => fromRest({ ...OPTIONS, fetch: 5 }), /^TypeError: fromRest: fetch/);
  assert.throws(() => fromRest({ ...OPTIONS, tokn: 5 }), /tokn/);
  assert.throws(() => fromRest("https://db.example"), TypeError);
});
