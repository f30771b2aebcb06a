import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { openClient } from "../../../pkg/dist/client.js";
import { createClient } from "../../../pkg/dist/entry/node.js";
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
  [{ observe: () => {} }, TypeError, "observe"],
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

test("createClient refuses what is no options, and no server", () => {
  for (const value of [undefined, null, 5, [], () => {}])
    assert.throws(() => createClient(value), refuses(TypeError, "createClient"));
  assert.throws(() => createClient(""), refuses(TypeError, "url"));
  assert.throws(() => createClient({}), refuses(TypeError, "url"));
  assert.throws(() => createClient({ nodes: [] }), refuses(RangeError, "nodes"));
  assert.throws(() => createClient({ nodes: SERVER }), refuses(TypeError, "nodes"));
  assert.throws(
    () => createClient({ nodes: [SERVER, SERVER] }),
    refuses(TypeError, "not available in this version"),
  );
  assert.throws(() => createClient({ nodes: [{ url: 1 }] }), refuses(TypeError, "nodes[0].url"));
  assert.throws(() => createClient({ nodes: [{ uri: SERVER }] }), refuses(TypeError, "uri"));
  assert.throws(() => createClient({ nodes: ["x"] }), refuses(TypeError, "nodes[0]"));
});

test("createClient takes the accepted, the bounds included", () => {
  const transport = new FakeTransport();
  for (const options of [
    SERVER,
    { url: SERVER },
    { nodes: [SERVER] },
    { nodes: [{ url: SERVER }] },
    { transport },
    { url: SERVER, ttl: undefined, retry: undefined, clock: undefined },
    { url: SERVER, ttl: 100, wait: 0, drift: 0, nodeTimeout: 1, connectTimeout: 1, prefix: "", retry: {} },
    { url: SERVER, ttl: 2 ** 53 - 1, wait: Number.POSITIVE_INFINITY, drift: 0.5, retry: { min: 1, max: 1 } },
  ]) {
    assert.equal(typeof createClient(options).acquire, "function");
  }
  assert.equal(transport.dials.length, 0);
});

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
  [{ fair: true }, TypeError, "not available in this version"],
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
  await assert.rejects(client.using("k"), refuses(TypeError, "body"));
  await assert.rejects(client.using("k", {}), refuses(TypeError, "body"));
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

test("the core gets full keys, defaults and overrides", async () => {
  const { load, cores } = fakeLoader();
  const client = openClient({ url: SERVER, prefix: "p:", ttl: 1000 }, load, new FakeTransport());
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
  await settle();
  const given = cores[0].calls
    .filter(([name]) => name === "acquire")
    .map(([, request]) => ({ ...request, token: Buffer.from(request.token).toString() }));
  const base = {
    lengths: [],
    token: "",
    ttl: 1000,
    wait: 10_000,
    renew: false,
    maxHold: Number.POSITIVE_INFINITY,
  };
  assert.deepEqual(given, [
    { ...base, bytes: "p:a" },
    {
      ...base,
      bytes: "p:äp:b",
      lengths: [4, 3],
      token: "t",
      ttl: 200,
      wait: Number.POSITIVE_INFINITY,
      renew: true,
      maxHold: 7,
    },
    { ...base, bytes: "p:c", wait: 0 },
    { ...base, bytes: "p:d", renew: true },
    { ...base, bytes: "p:e" },
  ]);
  await client.close();
});
