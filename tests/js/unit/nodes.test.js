// Which servers a client uses, over which transports, and what must not be sent there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromCommand, fromRest, fromWebSocket } from "../../../pkg/dist/entry/exports.js";
import { parseVoters } from "../../../pkg/dist/options/voters.js";

const sockets = { connect() {} };
const parse = (options) => parseVoters(options, sockets).flatMap(({ nodes }) => nodes);
const pem = (what) => `-----BEGIN ${what}-----\ncanary\n-----END ${what}-----\n`;
const [CA, CERT, KEY] = ["CERTIFICATE", "CERTIFICATE", "PRIVATE KEY"].map(pem);
const commands = (more) => ({ ...fromCommand(async () => null), ...more });
const rest = (url) => fromRest({ url, token: "canary" });

function assertRefused(options, type, ...says) {
  assert.throws(
    () => parse(options),
    (error) => {
      assert.equal(Object.getPrototypeOf(error), type.prototype, String(error));
      for (const pattern of says) assert.match(error.message, pattern);
      assert.doesNotMatch(inspect(error), /canary|secret/);
      return true;
    },
    inspect(options),
  );
}

test("TLS options go to the transport as they are, a single authority as a list", () => {
  const tls = { ca: CA, cert: CERT, key: KEY, servername: "redis.example" };
  const [node] = parse({ url: "rediss://h", tls });
  assert.deepEqual(node.address, {
    host: "h",
    port: 6379,
    tls: true,
    tlsOptions: { ...tls, ca: [CA] },
    path: null,
  });
  assert.deepEqual(parse({ url: "rediss://h", tls: { ca: [CA, CERT] } })[0].address.tlsOptions, {
    ca: [CA, CERT],
  });
  assert.deepEqual(parse({ url: "rediss://h", tls: {} })[0].address.tlsOptions, {});
  assert.deepEqual(parse({ url: "rediss://h" })[0].address.tlsOptions, {});
});

test("TLS options of the client are for all nodes in TLS that have none of their own", () => {
  const nodes = ["rediss://a", { url: "rediss://b", tls: { servername: "own" } }, "redis://localhost"];
  assert.deepEqual(
    parse({ nodes, tls: { servername: "all" } }).map(({ address }) => address.tlsOptions),
    [{ servername: "all" }, { servername: "own" }, {}],
  );
});

for (const [tls, type, ...says] of [
  [{ ca: "canary" }, TypeError, /^tls\.ca must be a PEM string.*some other string/],
  [{ ca: "/etc/ssl/ca.pem" }, TypeError, /tls\.ca/],
  [{ ca: Buffer.from(CA) }, TypeError, /tls\.ca/],
  [{ ca: [CA, "canary"] }, TypeError, /tls\.ca/],
  [{ ca: [CA, 5] }, TypeError, /tls\.ca.*got 5/],
  [{ ca: null }, TypeError, /tls\.ca/],
  [{ cert: "canary", key: KEY }, TypeError, /tls\.cert/],
  [{ cert: CERT, key: "canary" }, TypeError, /tls\.key/],
  [{ cert: CERT }, TypeError, /^tls: cert and key must be given together/],
  [{ key: KEY }, TypeError, /^tls: cert and key must be given together/],
  [{ servername: 5 }, TypeError, /tls\.servername must be a string/],
  [
    { rejectUnauthorized: false },
    TypeError,
    /unknown option "rejectUnauthorized"; the known options are ca, cert, key/,
  ],
  [null, TypeError, /^tls: options must be an object/],
  ["canary", TypeError, /^tls/],
]) {
  test(`TLS options are refused: ${inspect(tls).slice(0, 60)}`, () => {
    assertRefused({ url: "rediss://h", tls }, type, ...says);
    const [first, ...rest] = says;
    const nested = new RegExp(first.source.replace("^", "").replace("tls", "nodes\\[1\\]\\.tls"));
    assertRefused({ nodes: ["rediss://a", { url: "rediss://b", tls }] }, type, nested, ...rest);
  });
}

test("TLS options without TLS are refused where they are given, but not where they are a default", () => {
  assertRefused({ url: "redis://h", tls: { ca: CA } }, TypeError, /^tls has no effect without TLS.*rediss:/);
  assertRefused({ url: "unix:///s", tls: {} }, TypeError, /^tls/);
  assertRefused({ nodes: [{ url: "redis://h", tls: {} }] }, TypeError, /^nodes\[0\]\.tls/);
  assertRefused({ nodes: ["redis://h"], tls: { ca: CA } }, TypeError, /^tls has no effect without TLS/);
  assertRefused({ transport: commands(), tls: { ca: CA } }, TypeError, /^tls has no effect without TLS/);
  parse({ nodes: ["redis://localhost", "rediss://i"], tls: { ca: CA } });
});

const local = [
  "redis://:secret@localhost",
  "redis://:secret@LocalHost:1",
  "redis://:secret@127.0.0.1",
  "redis://u:secret@127.8.9.255",
  "redis://:secret@[::1]",
  "redis://:secret@[::ffff:127.0.0.1]",
  "unix://:secret@/run/redis.sock",
  "redis+unix://u:secret@/run/redis.sock?db=1",
];
const remote = [
  "redis://:secret@redis.example",
  "redis://u:secret@10.0.0.1",
  "redis://:secret@127.0.0.1.example",
  "redis://:secret@127.0.0.256",
  "redis://:secret@127.1.1",
  "redis://:secret@localhost.example",
  "redis://:secret@mylocalhost",
  "redis://:secret@[::2]",
  "redis://:secret@[fe80::1%25eth0]",
  "redis://:secret@[::ffff:10.0.0.1]",
  "redis://:secret@0.0.0.0",
];

test("a password is sent in plaintext to this machine only", () => {
  for (const url of local) parse({ url });
  for (const url of remote) {
    assertRefused({ url }, TypeError, /^url: .*in plaintext.*rediss:.*allowPlaintextAuth: true/);
    assertRefused({ nodes: [local[0], { url }] }, TypeError, /^nodes\[1\]\.url: .*in plaintext/);
    parse({ url: url.replace("redis:", "rediss:") });
    parse({ url, allowPlaintextAuth: true });
    assertRefused({ url, allowPlaintextAuth: false }, TypeError, /in plaintext/);
    parse({ url: url.replace(/\/\/.*@/, "//") });
  }
  for (const allowPlaintextAuth of ["yes", 1, null]) {
    assertRefused({ url: local[0], allowPlaintextAuth }, TypeError, /allowPlaintextAuth/);
  }
});

test("a transport says itself whether it is secure", () => {
  const over = (secure, url, more) => parse({ url, transport: { connect() {}, secure }, ...more });
  over(true, "redis://:secret@redis.example");
  over(undefined, "redis://:secret@127.0.0.1");
  over(undefined, "rediss://:secret@redis.example");
  over(undefined, "redis://redis.example");
  over(false, "redis://redis.example");
  over(undefined, undefined);
  const asks = [];
  over((address) => asks.push(address.host) > 0, "redis://:secret@redis.example");
  assert.deepEqual(asks, ["redis.example"]);
  for (const [secure, url] of [
    [undefined, "redis://:secret@redis.example"],
    [false, "redis://:secret@redis.example"],
    [false, "redis://:secret@127.0.0.1"],
    [false, "rediss://:secret@redis.example"],
    // Whoever asks for TLS must not be left without.
    [false, "rediss://redis.example"],
    [() => false, "redis://:secret@127.0.0.1"],
  ]) {
    assert.throws(() => over(secure, url), /^TypeError: url: .*in plaintext/, `${secure} ${url}`);
    over(secure, url, { allowPlaintextAuth: true });
  }
});

test("transports of single commands log in themselves, and REST must be encrypted", () => {
  parse({ transport: commands() });
  parse({ transport: commands(), url: "redis://redis.example" });
  for (const url of ["redis://:secret@127.0.0.1", "redis://u:secret@127.0.0.1", "redis://127.0.0.1/2"]) {
    assertRefused({ transport: commands(), url }, TypeError, /^url: user, password and database belong to/);
    assertRefused({ nodes: [{ transport: commands(), url }] }, TypeError, /^nodes\[0\]\.url: user/);
  }
  parse({ transport: rest("https://db.example") });
  parse({ transport: rest("http://localhost:8080") });
  assertRefused(
    { transport: rest("http://db.example") },
    TypeError,
    /^url: .*https:\/\/.*allowPlaintextAuth/,
  );
  parse({ transport: rest("http://db.example"), allowPlaintextAuth: true });
});

test("each node may have a transport of its own", () => {
  const [one, two] = [commands(), rest("https://db.example")];
  const nodes = parse({ nodes: [{ transport: one }, { transport: two }, "redis://h"], transport: undefined });
  assert.deepEqual(
    nodes.map(({ transport }) => transport),
    [one, two, sockets],
  );
  assert.deepEqual(
    nodes.map(({ name }) => name),
    ["nodes[0]", "db.example", "h:6379"],
  );
  const shared = { connect() {} };
  const [first, second] = parse({
    nodes: [{ url: "redis://a", transport: one }, "redis://b"],
    transport: shared,
  });
  assert.deepEqual([first.transport, second.transport], [one, shared]);
  assert.equal(parse({ transport: commands() })[0].name, "the server");
  assert.equal(parse({ transport: commands({ name: "mine" }) })[0].name, "mine");
});

test("one server twice is refused, by address or by transport", () => {
  const one = commands();
  for (const nodes of [
    ["redis://a", "redis://A:6379"],
    ["redis://a", "rediss://a"],
    ["unix:///s", "redis+unix:///s?db=1"],
    [{ transport: one }, { transport: one }],
    [{ transport: sockets }, { transport: sockets }],
    [
      { transport: one, url: "redis://a" },
      { transport: one, url: "redis://b" },
    ],
  ]) {
    assertRefused({ nodes }, RangeError, /^nodes\[1\] is the same server as nodes\[0\]/);
  }
  parse({ nodes: ["redis://a:1", "redis://a:2", { transport: one }, { transport: commands() }] });
  parse({ nodes: [{ transport: { connect() {} } }, { transport: { connect() {} } }] });
});

for (const [transport, ...says] of [
  [{}, /^transport must be an object with a connect method/],
  [5, /^transport/],
  [null, /^transport/],
  [{ connect: 5 }, /^transport/],
  [{ connect() {}, carrier: "pigeons" }, /^transport\.carrier must be "stream" or "commands"; got "pigeons"/],
]) {
  test(`a bad transport: ${inspect(transport)}`, () => {
    assertRefused({ transport }, TypeError, ...says);
    const [first] = says;
    assertRefused(
      { nodes: [{ transport }] },
      TypeError,
      new RegExp(first.source.replace("^", "^nodes\\[0\\]\\.")),
    );
  });
}

test("a runtime without sockets says what to give, and needs no URL then", () => {
  assert.throws(
    () => parseVoters({ url: "redis://h" }, undefined),
    /^TypeError: transport is missing: this runtime has no TCP sockets; use fromWebSocket/,
  );
  assert.throws(() => parseVoters({ nodes: ["redis://h"] }, undefined), /nodes\[0\]\.transport is missing/);
  assert.equal(parseVoters({ transport: commands() }, undefined).length, 1);
});

test("what a transport cannot serve is refused before it is dialled", () => {
  const transport = {
    connect() {},
    refuses: ({ path }) => (path === null ? undefined : "there are none here"),
  };
  parse({ url: "redis://h", transport });
  assertRefused({ url: "unix:///s", transport }, TypeError, /^url: there are none here$/);
});

test("what was given in the wrong place is not repeated: it may be a URL with a password, or a token", () => {
  const url = "redis://:canary@db.example";
  for (const options of [{ nodes: url }, { transport: url }, { nodes: [{ transport: url }] }]) {
    assertRefused(options, TypeError, /got a string$/);
  }
  assertRefused({ nodes: [{ [url]: 1 }] }, TypeError, /an unknown option; the known options are/);
  for (const wrong of [() => fromRest("canary"), () => fromWebSocket("wss://b", "canary")]) {
    assert.throws(wrong, (error) => error instanceof TypeError && !inspect(error).includes("canary"));
  }
});

test("a bridge's own token is sent in plaintext to this machine only", () => {
  class WebSocket {}
  const bridged = (url, more) => ({ transport: fromWebSocket(url, { WebSocket, ...more }) });
  parse(bridged("ws://bridge.example"));
  parse(bridged("ws://127.0.0.1/?token=canary"));
  parse(bridged("wss://bridge.example/?token=canary", { protocols: "canary" }));
  parse({ ...bridged("ws://bridge.example/?token=canary"), allowPlaintextAuth: true });
  assertRefused(bridged("ws://bridge.example/?token=canary"), TypeError, /in plaintext/);
  assertRefused(bridged("ws://bridge.example", { protocols: "canary" }), TypeError, /in plaintext/);
  const byAddress = bridged(({ host }) => `ws://bridge.example/?to=${host}`);
  assertRefused({ ...byAddress, url: "redis://a" }, TypeError, /in plaintext/);
});

test("a transport that leads to one server whatever the address has one vote", () => {
  class WebSocket {}
  const transport = fromWebSocket("wss://bridge.example", { WebSocket });
  assertRefused({ nodes: ["redis://a", "redis://b"], transport }, RangeError, /same server/);
});

test("TLS options of the client: no other machine is left without TLS for want of an s", () => {
  assertRefused({ nodes: ["rediss://a", "redis://b"], tls: { ca: CA } }, TypeError, /rediss:/);
  parse({ nodes: ["rediss://a", "redis://127.0.0.1"], tls: { ca: CA } });
});
