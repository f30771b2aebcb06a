import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { openClient } from "../../../pkg/dist/client.js";
import { createClient, fromRest } from "../../../pkg/dist/entry/node.js";
import { FakeTransport, fakeLoader, settle } from "./support/fake-core.js";

const SERVER = "redis://127.0.0.1:1";
const refuses = (type, name) => (error) => {
  assert.equal(Object.getPrototypeOf(error), type.prototype, String(error));
  assert.ok(error.message.includes(name), `"${error.message}" does not name ${name}`);
  return true;
};

const notIntegers = [
  [-1, RangeError],
  [1.5, RangeError],
  [Number.NaN, RangeError],
  [2 ** 53, RangeError],
  ["5s", TypeError],
  [null, TypeError],
  [5n, TypeError],
  [{}, TypeError],
];

const badClientOptions = [
  ...notIntegers.flatMap(([value, type]) =>
    ["ttl", "wait", "nodeTimeout", "connectTimeout"].map((name) => [{ [name]: value }, type, name]),
  ),
  ...notIntegers.flatMap(([value, type]) =>
    ["min", "max"].map((name) => [{ retry: { [name]: value } }, type, `retry.${name}`]),
  ),
  [{ ttl: 0 }, RangeError, "ttl"],
  [{ ttl: 99 }, RangeError, "ttl"],
  [{ ttl: Number.POSITIVE_INFINITY }, RangeError, "ttl"],
  [{ nodeTimeout: 0 }, RangeError, "nodeTimeout"],
  [{ connectTimeout: 0 }, RangeError, "connectTimeout"],
  [{ retry: 5 }, TypeError, "retry"],
  [{ retry: null }, TypeError, "retry"],
  [{ retry: { min: 2, max: 1 } }, RangeError, "retry.min"],
  [{ retry: { step: 2 } }, TypeError, "step"],
  [{ drift: -0.1 }, RangeError, "drift"],
  [{ drift: 0.6 }, RangeError, "drift"],
  [{ drift: Number.NaN }, RangeError, "drift"],
  [{ drift: "1" }, TypeError, "drift"],
  [{ prefix: 5 }, TypeError, "prefix"],
  [{ transport: {} }, TypeError, "transport"],
  [{ transport: null }, TypeError, "transport"],
  [{ clock: {} }, TypeError, "clock"],
  [{ observe: 5 }, TypeError, "observe"],
  [{ observe: null }, TypeError, "observe"],
  [{ tls: true }, TypeError, "tls"],
  [{ nodes: [SERVER] }, TypeError, "nodes"],
  [{ url: 5 }, TypeError, "url"],
  [{ url: "redis://h:0" }, RangeError, "url"],
  [{ url: "nonsense" }, TypeError, "url"],
];

for (const [options, type, name] of badClientOptions) {
  test(`createClient refuses ${inspect(options)}`, () => {
    assert.throws(() => createClient({ url: SERVER, ...options }), refuses(type, name));
  });
}

test("createClient refuses anything but options, and options without a server", () => {
  for (const value of [null, 5, [], () => {}, new URL(SERVER)])
    assert.throws(() => createClient(value), refuses(TypeError, "createClient"));
  assert.throws(() => createClient({}), refuses(TypeError, "url"));
  assert.throws(() => createClient({ nodes: [] }), refuses(RangeError, "nodes"));
  assert.throws(() => createClient({ nodes: SERVER }), refuses(TypeError, "nodes"));
  for (const [nodes, name] of [
    [[SERVER, SERVER], "nodes[1]"],
    [["redis://H:1", "redis://g", "rediss://:p@h:1/2"], "nodes[2]"],
    [["/tmp/r.sock", { url: "unix:///tmp/r.sock?db=1" }], "nodes[1]"],
  ]) {
    assert.throws(() => createClient({ nodes }), refuses(RangeError, name));
  }
  for (const node of [null, 5, [], {}])
    assert.throws(() => createClient({ nodes: [SERVER, node] }), refuses(TypeError, "nodes[1]"));
  assert.throws(() => createClient({ nodes: [{ url: 1 }] }), refuses(TypeError, "nodes[0].url"));
  assert.throws(() => createClient({ nodes: [{ uri: SERVER }] }), refuses(TypeError, "uri"));
  assert.throws(() => createClient({ nodes: ["x"] }), refuses(TypeError, "nodes[0]"));
});

const notSet = { undefined: undefined, "an empty string": "" };
for (const [is, value] of Object.entries(notSet)) {
  test(`a URL that is not set (${is}) fails whoever asks for a lock, not the import of the module`, async () => {
    const tls = { servername: "redis.example" };
    const other = { transport: new FakeTransport(), url: SERVER };
    const rest = (options) => ({ transport: fromRest({ url: "https://h", token: "secret", ...options }) });
    for (const [options, name] of [
      [value, "url"],
      [{ url: value }, "url"],
      [{ url: value, tls, ttl: 500 }, "url"],
      [{ nodes: [SERVER, value, value], tls }, "nodes[1]"],
      [{ nodes: [SERVER, { url: value, tls }] }, "nodes[1].url"],
      [{ nodes: [SERVER, value], transport: new FakeTransport() }, "nodes[1]"],
      [{ nodes: [other, rest({ token: value })] }, "fromRest: token"],
      [rest({ url: value }), "fromRest: url"],
      [{ ...rest({ token: value }), nodeTimeout: 500 }, "fromRest: token"],
    ]) {
      const client = createClient(options);
      const rejects = refuses(TypeError, `${name} is ${is}; is the environment variable for it set`);
      await assert.rejects(client.acquire("k"), rejects);
      await assert.rejects(client.tryAcquire("k"), rejects);
      await assert.rejects(
        client.using("k", () => assert.fail("the body was called")),
        rejects,
      );
      await assert.rejects(client.adopt(HANDLE), rejects);
      // What is wrong with the request itself is still reported first.
      await assert.rejects(client.acquire(""), RangeError);
      await assert.rejects(
        client.acquire("k", { signal: AbortSignal.abort("enough") }),
        (reason) => reason === "enough",
      );
      client.inspect();
      await client.close();
      await assert.rejects(client.acquire("k"), { code: "LOCK_CLOSED" });
    }
    // Anything else that is wrong is reported at once, and so is an option that was not even named.
    for (const [options, name] of [
      [{ url: value, ttl: 5 }, "ttl"],
      [{ url: value, urll: SERVER }, "urll"],
      [{ url: value, nodes: [SERVER], tls: 5 }, "tls"],
      [{ nodes: [value, SERVER, SERVER] }, "nodes[2]"],
      [{ nodes: [value, "x"] }, "nodes[1]"],
      [{ nodes: [value, {}] }, "nodes[1].url"],
      [{}, "url"],
    ]) {
      assert.throws(
        () => createClient(options),
        (error) => error.message.includes(name) || assert.fail(String(error)),
      );
    }
  });
}

test("createClient accepts valid options, including the bounds", () => {
  const transport = new FakeTransport();
  for (const options of [
    SERVER,
    { url: SERVER },
    { nodes: [SERVER] },
    { nodes: [{ url: SERVER }] },
    { nodes: [SERVER, { url: "redis://127.0.0.2:1" }, "/tmp/a.sock", "/tmp/A.sock"], observe() {} },
    { url: SERVER, retry: { min: 300 } },
    { url: SERVER, retry: { max: 5 } },
    { transport },
    { url: SERVER, ttl: undefined, retry: undefined, clock: undefined },
    { url: SERVER, ttl: 100, wait: 0, drift: 0, nodeTimeout: 1, connectTimeout: 1, prefix: "", retry: {} },
    { url: SERVER, ttl: 2 ** 53 - 1, wait: Number.POSITIVE_INFINITY, drift: 0.5, retry: { min: 1, max: 1 } },
  ]) {
    assert.equal(typeof createClient(options).acquire, "function");
  }
  assert.equal(transport.dials.length, 0);
});

const HANDLE = { keys: ["k"], token: "secret", fair: false, fence: null, ttl: 5000 };

const badAcquireOptions = [
  ...notIntegers.flatMap(([value, type]) =>
    ["ttl", "wait", "maxHold"].map((name) => [{ [name]: value }, type, name]),
  ),
  [{ ttl: 0 }, RangeError, "ttl"],
  [{ ttl: 99 }, RangeError, "ttl"],
  [{ ttl: Number.POSITIVE_INFINITY }, RangeError, "ttl"],
  [{ wait: Number.NEGATIVE_INFINITY }, RangeError, "wait"],
  [{ maxHold: 0 }, RangeError, "maxHold"],
  [{ renew: 1 }, TypeError, "renew"],
  [{ fair: "yes" }, TypeError, "fair"],
  [{ token: "" }, RangeError, "token"],
  [{ token: 5 }, TypeError, "token"],
  [{ signal: {} }, TypeError, "signal"],
  [{ signal: null }, TypeError, "signal"],
  [{ timeout: 5 }, TypeError, "timeout"],
  [null, TypeError, "options"],
  ["30s", TypeError, "options"],
];

const badKeys = [
  [undefined, TypeError],
  [null, TypeError],
  [5, TypeError],
  ["", RangeError],
  [[], RangeError],
  [[""], RangeError],
  [["a", 5], TypeError],
  [new Array(1), TypeError],
];

test("acquire, tryAcquire and using reject bad options and keys, and the core is not even built", async () => {
  const { load, cores } = fakeLoader();
  const client = openClient({ url: SERVER }, load, new FakeTransport());
  const verbs = [
    (key, options) => client.acquire(key, options),
    (key, options) => client.tryAcquire(key, options),
    (key, options) => client.using(key, options, () => {}),
  ];
  for (const verb of verbs) {
    for (const [options, type, name] of badAcquireOptions)
      await assert.rejects(verb("k", options), refuses(type, name));
    for (const [key, type] of badKeys) await assert.rejects(verb(key), refuses(type, "key"));
  }
  for (const [options, type, name] of badAcquireOptions.filter(([, , name]) => name !== "token"))
    await assert.rejects(client.adopt(HANDLE, options), refuses(type, name));
  for (const [verb, call] of ["acquire", "tryAcquire", "using"].map((verb, at) => [verb, verbs[at]]))
    await assert.rejects(call("k", { tll: 5 }), refuses(TypeError, `${verb}: unknown option "tll"`));
  await assert.rejects(client.adopt(HANDLE, { tll: 5 }), refuses(TypeError, 'adopt: unknown option "tll"'));
  await assert.rejects(client.using("k"), refuses(TypeError, "body"));
  await assert.rejects(client.using("k", {}), refuses(TypeError, "body"));
  assert.equal(cores.length, 0);
});

test("fair is refused by a client of several servers, with the reason", async () => {
  const { load, cores } = fakeLoader();
  const nodes = [SERVER, "redis://127.0.0.2:1"];
  const client = openClient({ nodes }, load, new FakeTransport());
  const refused = refuses(TypeError, "order of arrival");
  await assert.rejects(client.acquire("k", { fair: true }), refused);
  await assert.rejects(client.tryAcquire("k", { fair: true }), refused);
  await assert.rejects(
    client.using("k", { fair: true }, () => {}),
    refused,
  );
  await assert.rejects(client.adopt({ ...HANDLE, fair: true }), refused);
  assert.equal(cores.length, 0);
});

const badHandles = [
  ...[undefined, null, 5, "{secret}", () => {}].map((handle) => [handle, "handle"]),
  ...[undefined, 5, null, "k", [], [""], ["a", 5]].map((keys) => [{ ...HANDLE, keys }, "handle.keys"]),
  ...[undefined, 5, null, "", ["secret"]].map((token) => [{ ...HANDLE, token }, "handle.token"]),
  ...[undefined, 1, "false"].map((fair) => [{ ...HANDLE, fair }, "handle.fair"]),
  ...[undefined, 5, 5n, "", "-1", "0x1", "1.5", "1".repeat(21)].map((fence) => [
    { ...HANDLE, fence },
    "handle.fence",
  ]),
  ...[undefined, 99, "5000", null, Number.NaN].map((ttl) => [{ ...HANDLE, ttl }, "handle.ttl"]),
];

test("adopt rejects bad handles with a TypeError that shows no token", async () => {
  const { load, cores } = fakeLoader();
  const client = openClient(SERVER, load, new FakeTransport());
  for (const [handle, name] of badHandles) {
    await assert.rejects(client.adopt(handle), (error) => {
      assert.doesNotMatch(error.message, /secret/);
      return refuses(TypeError, name)(error);
    });
  }
  await assert.rejects(client.adopt(HANDLE, { token: "other" }), refuses(TypeError, "token"));
  await assert.rejects(client.adopt(HANDLE, { fair: true }), refuses(TypeError, "fair"));
  assert.equal(cores.length, 0);
});

test("close rejects bad options and stays open", async () => {
  const { load } = fakeLoader();
  const client = openClient({ url: SERVER }, load, new FakeTransport());
  for (const timeout of [-1, 1.5, "1", Number.POSITIVE_INFINITY]) {
    await assert.rejects(client.close({ timeout }), (error) =>
      refuses(typeof timeout === "string" ? TypeError : RangeError, "timeout")(error),
    );
  }
  await assert.rejects(client.close({ wait: 1 }), refuses(TypeError, "wait"));
  client.acquire("k").catch(() => {});
  await client.close();
});

test("the core gets the settings, names without the prefix, defaults and overrides", async () => {
  const { load, cores } = fakeLoader();
  const client = openClient({ url: SERVER, prefix: "p:", label: "l", ttl: 1000 }, load, new FakeTransport());
  const silent = () => {};
  client.acquire("a").catch(silent);
  client
    .acquire(["ä", "b", "ä"], {
      ttl: 200,
      wait: Number.POSITIVE_INFINITY,
      renew: true,
      maxHold: 7,
      token: "t",
    })
    .catch(silent);
  client.tryAcquire("c", { wait: 5 }).catch(silent);
  client.using("d", silent).catch(silent);
  client.using("e", { renew: false }, silent).catch(silent);
  client.acquire("f", { fair: true, renew: true }).catch(silent);
  client.adopt(HANDLE).catch(silent);
  client
    .adopt(
      { ...HANDLE, fair: true },
      { ttl: 300, wait: 0, renew: true, maxHold: 9, token: "secret", fair: true },
    )
    .catch(silent);
  await settle();
  const settings = { drift: 0.01, retryMin: 50, retryMax: 250, nodeTimeout: 0, connectTimeout: 5_000 };
  assert.deepEqual(cores[0].settings, { ...settings, prefix: "p:", label: "l" });
  const given = cores[0].calls.filter(([name]) => name === "acquire").map(([, request]) => request);
  const base = {
    token: undefined,
    ttl: 1000,
    wait: 15_000,
    flags: 0,
    maxHold: Number.POSITIVE_INFINITY,
    fence: 0n,
  };
  assert.deepEqual(given, [
    { ...base, keys: ["a"] },
    {
      ...base,
      keys: ["ä", "b"],
      token: "t",
      ttl: 200,
      wait: Number.POSITIVE_INFINITY,
      flags: 1,
      maxHold: 7,
    },
    { ...base, keys: ["c"], wait: 5 },
    { ...base, keys: ["d"], flags: 1 },
    { ...base, keys: ["e"] },
    { ...base, keys: ["f"], flags: 3 },
    { ...base, keys: ["k"], token: "secret", ttl: 5000, flags: 4 },
    { ...base, keys: ["k"], token: "secret", ttl: 300, wait: 0, flags: 7, maxHold: 9 },
  ]);
  await client.close();
});
