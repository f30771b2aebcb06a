// Bad options are refused with TypeError or RangeError, naming the option and what is accepted, before a byte is sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { startFakeServer } from "../support/fake-server.js";
import { createClient, LockError } from "../support/redlatch.js";
import { tcpTransport } from "../support/transport.js";

const URL_OK = "redis://127.0.0.1:6379";

const NUMERIC = new Set(["ttl", "wait", "drift", "nodeTimeout", "connectTimeout", "maxHold"]);
const notALease = [0, -1, 1.5, NaN, 99, "5s", 2 ** 53, Infinity, null, true, {}, 10n];
const notAWait = [-1, 1.5, NaN, "5s", 2 ** 53, -Infinity, null, true, {}];

function assertRefusal(error, name, input) {
  const shown = `${name} = ${inspect(input)}: ${error}`;
  assert.ok(error instanceof TypeError || error instanceof RangeError, shown);
  assert.ok(!(error instanceof LockError), shown);
  assert.match(error.message, new RegExp(`\\b${name}\\b`), `the message names the option: ${shown}`);
  assert.ok(error.message.length > name.length + 15, `the message says what is accepted: ${shown}`);
  if (NUMERIC.has(name) && typeof input === "number")
    assert.match(error.message, /integer|number|between|least|most|from|\d/, shown);
}

const badClientOptions = {
  url: [
    " ",
    "localhost",
    "http://127.0.0.1:6379",
    "redis://",
    "redis://:6379",
    "redis://h:notaport",
    "redis://h:70000",
    "redis://h:6379/zero",
    "redis://h:6379/-1",
    "redis://h:6379/1.5",
    "redis://h:6379/0/1",
    "redis://h:6379/4294967296",
    "redis://us%er@h:6379",
    "redis://h:6379?db=1",
    "redis://h:6379#1",
    6379,
    {},
    null,
  ],
  nodes: [
    [],
    "redis://a:1",
    [5],
    ["redis://a:1", "redis://a:1"],
    ["redis://a:1", { url: "redis://a:1" }],
    [{}],
  ],
  prefix: [5, null, {}],
  ttl: notALease,
  wait: notAWait,
  retry: [5, null, { min: -1 }, { max: 0 }, { min: 100, max: 50 }, { min: "1" }, { min: NaN }, { mni: 5 }],
  drift: [-0.1, 1, NaN, "x", Infinity, null],
  nodeTimeout: [0, -1, NaN, "x", null, 1.5, Infinity],
  connectTimeout: [0, -1, NaN, "x", null, 1.5, Infinity],
  transport: [5, {}, null, "tcp"],
  clock: [5, {}, null, { now: () => 0 }],
  observe: [5, "x", {}, null],
};

for (const [name, values] of Object.entries(badClientOptions)) {
  test(`createClient refuses a bad ${name}`, () => {
    for (const value of values) {
      const options = name === "nodes" ? { nodes: value } : { url: URL_OK, [name]: value };
      let error;
      try {
        createClient(options);
      } catch (thrown) {
        error = thrown;
      }
      assert.ok(error, `${name} = ${inspect(value)} was accepted`);
      assertRefusal(
        error,
        name === "retry" && typeof value === "object" && value ? "retry|min|max" : name,
        value,
      );
    }
  });
}

test("createClient refuses anything but an object of known options", () => {
  // Undefined is what an environment variable is that is not set: it fails the first lock.
  for (const options of [null, 5, true, [], () => {}]) {
    assert.throws(
      () => createClient(options),
      (error) => error instanceof TypeError && /url|options/.test(error.message),
      String(options),
    );
  }
  assert.throws(
    () => createClient({ url: URL_OK, tll: 5_000 }),
    (error) => error instanceof TypeError && /tll/.test(error.message),
  );
  assert.throws(
    () => createClient("not a url"),
    (error) => /url/i.test(error.message) && (error instanceof TypeError || error instanceof RangeError),
  );
});

test("a bad URL is not repeated with its password", () => {
  for (const url of [
    "redis://u:canary-77@h:notaport",
    "http://u:canary-77@h:1",
    "redis://u:canary-77@h:1/zero",
    "redis://:canary-77@",
    "canary-77",
  ]) {
    assert.throws(
      () => createClient(url),
      (error) => !`${error.stack}${error.cause ?? ""}${JSON.stringify(error)}`.includes("canary-77"),
      url,
    );
  }
});

test("createClient dials nothing by itself", async (t) => {
  const transport = tcpTransport(1);
  openClient(t, URL_OK, { transport });
  await new Promise(setImmediate);
  assert.equal(transport.connections, 0);
});

const badCalls = {
  key: ["", [], [""], 5, undefined, null, {}, ["a", 5], ["a", ""], new Set(["a"])],
};
const badOptions = {
  ttl: notALease,
  wait: notAWait,
  renew: ["yes", 1, null],
  maxHold: [0, -1, NaN, "5s", null],
  fair: ["yes", 1],
  token: ["", 5, null, {}],
  signal: [{}, 5, "x", null, new AbortController()],
};

test("acquire, tryAcquire and using refuse bad keys and bad options before anything is dialled", async (t) => {
  const fake = await startFakeServer(t, () => assert.fail("a byte was sent"));
  const transport = tcpTransport(fake.port);
  const verbs = [];
  for (const [how, options] of Object.entries({ "own transport": { transport }, "a counting server": {} })) {
    const client = openClient(t, fake, options);
    verbs.push([`acquire (${how})`, (key, options) => client.acquire(key, options)]);
    verbs.push([`tryAcquire (${how})`, (key, options) => client.tryAcquire(key, options)]);
    verbs.push([
      `using (${how})`,
      (key, options) => client.using(key, options ?? {}, () => assert.fail("the body ran")),
    ]);
  }
  for (const [verb, call] of verbs) {
    for (const key of badCalls.key) {
      assertRefusal(await refusal(verb, "key", key, () => call(key)), "keys?", key);
    }
    for (const [name, values] of Object.entries(badOptions)) {
      for (const value of values) {
        assertRefusal(
          await refusal(verb, name, value, () => call(freshKey(), { [name]: value })),
          name,
          value,
        );
      }
    }
    assertRefusal(await refusal(verb, "tll", 5, () => call(freshKey(), { tll: 5 })), "tll", 5);
    for (const options of [5, "x", []]) {
      const error = await refusal(verb, "options", options, () => call(freshKey(), options));
      assert.ok(error instanceof TypeError && /options/.test(error.message), String(error));
    }
  }
  await new Promise(setImmediate);
  assert.equal(fake.connections, 0);
  assert.equal(transport.connections, 0);
});

/** The rejection of `call`, which must come as a rejection and not as an exception. */
async function refusal(verb, name, value, call) {
  let promise;
  try {
    promise = call();
  } catch (error) {
    assert.fail(`${verb}: ${name} = ${inspect(value)} threw instead of rejecting: ${error}`);
  }
  return rejection(promise, 1_000).catch((error) =>
    assert.fail(`${verb}: ${name} = ${inspect(value)} was accepted (${error.message})`),
  );
}

test("using refuses a body that is no function", async (t) => {
  const client = openClient(t, URL_OK, { transport: tcpTransport(1) });
  for (const error of [
    await rejection(client.using("k")),
    await rejection(client.using("k", {})),
    await rejection(client.using("k", {}, 5)),
  ]) {
    assert.ok(error instanceof TypeError);
    assert.match(error.message, /body|function/);
  }
});

test("fair locks of several servers, and url beside nodes, are refused with the reason", async (t) => {
  const transport = tcpTransport(1);
  const nodes = ["redis://a:1", "redis://b:1", "redis://c:1"];
  const client = openClient(t, undefined, { nodes, transport });
  const error = await rejection(client.acquire("k", { fair: true }));
  assert.ok(error instanceof TypeError);
  assert.match(error.message, /fair/);
  assert.throws(() => createClient({ url: URL_OK, nodes }), /nodes/);
  assert.equal(transport.connections, 0);
});

test("undefined means the default, as everywhere in JavaScript", async (t) => {
  const client = openClient(t, URL_OK, {
    transport: tcpTransport(1),
    ttl: undefined,
    wait: undefined,
    retry: undefined,
    prefix: undefined,
  });
  const error = await rejection(
    client.acquire("k", { ttl: undefined, wait: 0, token: undefined, signal: undefined }),
  );
  assert.ok(error instanceof LockError, String(error));
});
