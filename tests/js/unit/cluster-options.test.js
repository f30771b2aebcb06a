// How an application names its cluster: seeds, a map of addresses, a policy; and what is refused at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromCommand, fromWebSocket } from "../../../pkg/dist/entry/exports.js";
import { parseClientOptions } from "../../../pkg/dist/options/client.js";

const sockets = { connect() {} };
function parse(options) {
  const settings = parseClientOptions(options, sockets);
  return { ...settings, deployment: settings.voters[0].deployment };
}

function assertRefused(options, ...says) {
  assert.throws(
    () => parse(options),
    (error) => {
      assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
      for (const pattern of says) assert.match(error.message, pattern);
      assert.doesNotMatch(inspect(error), /canary/);
      return true;
    },
    inspect(options),
  );
}

const namesOf = ({ nodes }) => nodes.map(({ name }) => name);

test("a cluster is a list of URLs, or options, or a URL with several hosts", () => {
  const short = ["redis://u:pw@127.0.0.1:1", "redis://u:pw@127.0.0.1:2"];
  for (const options of [
    { cluster: short },
    { cluster: { seeds: short } },
    { url: "redis+cluster://u:pw@127.0.0.1:1,127.0.0.1:2" },
    "redis+cluster://u:pw@127.0.0.1:1,127.0.0.1:2",
    "Valkey+Cluster://u:pw@127.0.0.1:1,127.0.0.1:2",
  ]) {
    const settings = parse(options);
    assert.deepEqual(namesOf(settings), ["127.0.0.1:1", "127.0.0.1:2"], inspect(options));
    assert.equal(settings.deployment.addresses, "127.0.0.1:1\n127.0.0.1:2");
    assert.equal(settings.isRedlock, false);
    for (const { user, password, database } of settings.nodes)
      assert.deepEqual([user, password, database], ["u", "pw", 0]);
  }
});

test("wake-ups are sharded if the options say so", () => {
  const sharded = (cluster) => parse({ cluster }).deployment.sharded;
  assert.equal(sharded(["redis://127.0.0.1:1"]), false);
  assert.equal(sharded({ seeds: ["redis://127.0.0.1:1"] }), false);
  assert.equal(sharded({ seeds: ["redis://127.0.0.1:1"], sharded: true }), true);
});

test("the URL of a cluster has TLS, ports, IPv6 and a database as other URLs have, and one host is enough", () => {
  for (const scheme of ["rediss", "valkeys"]) {
    const { nodes, deployment } = parse(`${scheme}+cluster://u:p%2C%40w@a.example,[2001:db8::1]:7000/3`);
    assert.deepEqual(
      nodes.map(({ address: { host, port, tls }, password, database }) => [
        host,
        port,
        tls,
        password,
        database,
      ]),
      [
        ["a.example", 6379, true, "p,@w", 3],
        ["2001:db8::1", 7000, true, "p,@w", 3],
      ],
    );
    assert.equal(deployment.addresses, "a.example:6379\n2001:db8::1:7000");
  }
  assert.deepEqual(namesOf(parse("redis+cluster://127.0.0.1")), ["127.0.0.1:6379"]);
});

test("without a cluster, there is none, and several nodes are a Redlock", () => {
  assert.equal(parse("redis://h").deployment, undefined);
  assert.equal(parse("redis://h").isRedlock, false);
  assert.equal(parse({ nodes: ["redis://a", "redis://b"] }).isRedlock, true);
  assert.equal(parse({ nodes: ["redis://a"], cluster: undefined }).deployment, undefined);
});

const SEED = "redis://:canary@127.0.0.1:1";
for (const [what, options, ...says] of [
  ["a URL beside it", { url: SEED, cluster: [SEED] }, /^url and cluster are mutually exclusive/],
  ["nodes beside it", { nodes: [SEED], cluster: [SEED] }, /^nodes and cluster are mutually exclusive/],
  ["nodes beside its URL", { nodes: [SEED], url: "redis+cluster://h" }, /^url and nodes are mutually/],
  ["no seed", { cluster: [] }, /^cluster must name at least one server; got an empty array/],
  ["no seed in options", { cluster: { seeds: [] } }, /^cluster\.seeds must name at least one/],
  ["no seeds", { cluster: {} }, /^cluster\.seeds must be an array of URLs; got undefined/],
  ["a string", { cluster: SEED }, /^cluster must be an array of URLs; got a string$/],
  ["null", { cluster: null }, /^cluster must be an array of URLs; got null/],
  ["a seed that is no string", { cluster: [SEED, 5] }, /^cluster\[1\] must be a string; got 5/],
  [
    "a seed with options",
    { cluster: { seeds: [{ url: SEED }] } },
    /^cluster\.seeds\[0\] must be a string; got an object/,
  ],
  ["a seed that is no URL", { cluster: [SEED, "canary"] }, /^cluster\[1\]: not a server URL/],
  [
    "the URL of a cluster as a seed",
    { cluster: ["redis+cluster://h"] },
    /^cluster\[0\]: the URL of several servers/,
  ],
  ["a unix socket", { cluster: ["unix:///s"] }, /^cluster\[0\] must have a host and a port/],
  [
    "a host of one link",
    { cluster: ["redis://[fe80::1%eth0]"] },
    /^cluster\[0\] must have a host and a port/,
  ],
  [
    "a host that is no name",
    { cluster: [SEED, "redis://:canary@\u00e4"], allowPlaintextAuth: true },
    /^cluster\[1\] must/,
  ],
  ["a host that is missing", "redis+cluster://u:canary@127.0.0.1,,127.0.0.2", /^url: the host is missing/],
  ["a port out of range", "redis+cluster://u:canary@127.0.0.1:1,127.0.0.1:70000", /^url: the port/],
  [
    "an unknown option",
    { cluster: { seeds: [SEED], shards: true } },
    /shards.*seeds, natMap, allow, tls, sharded/,
  ],
  [
    "sharded as a number",
    { cluster: { seeds: [SEED], sharded: 1 } },
    /^cluster\.sharded must be a boolean; got 1/,
  ],
  ["a seed twice", { cluster: [SEED, SEED] }, /^cluster\[1\] is the same server as cluster\[0\]/],
  [
    "a seed twice, by case",
    "redis+cluster://A.example,b.example,a.Example:6379",
    /^url is the same server as url/,
  ],
  [
    "two passwords",
    { cluster: [SEED, "redis://:pw@127.0.0.1:2"] },
    /^cluster\[1\] must have the same user, pass/,
  ],
  [
    "two users",
    { cluster: { seeds: [SEED, "redis://u:canary@127.0.0.1:2"] } },
    /^cluster\.seeds\[1\] must have/,
  ],
  ["two databases", { cluster: [SEED, "redis://:canary@127.0.0.1:2/1"] }, /^cluster\[1\] must have the same/],
  ["TLS for some", { cluster: [SEED, "rediss://:canary@127.0.0.1:2"] }, /^cluster\[1\] must have the same/],
  ["a password in plaintext", { cluster: ["redis://:canary@h"] }, /^cluster\[0\]: .*in plaintext/],
  ["TLS options without TLS", { cluster: { seeds: [SEED], tls: {} } }, /^cluster\.tls has no effect/],
  ["the client's without TLS", { cluster: [SEED], tls: { servername: "h" } }, /^tls has no effect/],
  ["bad TLS options", { cluster: { seeds: [SEED], tls: { ca: "x" } } }, /^cluster\.tls\.ca must be a PEM/],
  [
    "a natMap of another kind",
    { cluster: { seeds: [SEED], natMap: SEED } },
    /^cluster\.natMap must be an object or a function; got a string/,
  ],
  ["a natMap of a list", { cluster: { seeds: [SEED], natMap: [] } }, /^cluster\.natMap.*got an array/],
  [
    "a natMap to a URL",
    { cluster: { seeds: [SEED], natMap: { "a:1": SEED } } },
    /natMap must map host:port to host:port/,
  ],
  [
    "a natMap from a host",
    { cluster: { seeds: [SEED], natMap: { a: "b:1" } } },
    /natMap must map host:port to host:port/,
  ],
  [
    "a natMap to port 0",
    { cluster: { seeds: [SEED], natMap: { "a:1": "b:0" } } },
    /natMap must map host:port to host:port/,
  ],
  ["a policy of another kind", { cluster: { seeds: [SEED], allow: "h" } }, /^cluster\.allow must be a list/],
  ["a policy with a number", { cluster: { seeds: [SEED], allow: [5] } }, /^cluster\.allow must be a list/],
  [
    "a policy with a port",
    { cluster: { seeds: [SEED], allow: ["h", "h:1"] } },
    /^cluster\.allow must be a list of hosts, without ports/,
  ],
  [
    "a policy with a URL",
    { cluster: { seeds: [SEED], allow: [SEED] } },
    /^cluster\.allow must be a list of hosts, without ports/,
  ],
]) {
  test(`a cluster is refused: ${what}`, () => assertRefused(options, ...says));
}

test("a transport that cannot lead to the servers of a cluster is refused", () => {
  class WebSocket {}
  const commands = fromCommand(async () => null);
  const fixed = fromWebSocket("wss://bridge.example", { WebSocket });
  for (const cluster of [["redis://127.0.0.1"], { seeds: ["redis://127.0.0.1"] }]) {
    assertRefused({ cluster, transport: commands }, /^cluster needs a transport to any address/);
    assertRefused({ cluster, transport: fixed }, /^cluster needs a transport to any address/);
  }
  assertRefused(
    { url: "redis+cluster://127.0.0.1", transport: commands },
    /^cluster needs a transport to any address/,
  );
  parse({
    cluster: ["redis://127.0.0.1"],
    transport: fromWebSocket(({ host }) => `wss://b.example/${host}`, { WebSocket }),
  });
  assert.throws(
    () => parseClientOptions({ cluster: ["redis://h"] }, undefined),
    /transport is missing: this runtime/,
  );
});

test("a seed whose URL is not set fails whoever asks for a lock", () => {
  for (const [unset, is] of [
    [undefined, "undefined"],
    ["", "an empty string"],
  ]) {
    for (const transport of [undefined, { connect() {} }]) {
      const settings = parse({ cluster: ["redis://127.0.0.1", unset], transport, tls: { servername: "h" } });
      assert.match(settings.missing, new RegExp(`^cluster\\[1\\] is ${is}; is the environment variable`));
      assert.equal(settings.deployment, undefined);
      assert.equal(settings.isRedlock, false);
    }
  }
});

test("TLS options of the cluster are for all its servers, and come before the client's", () => {
  const seeds = ["rediss://a.example", "rediss://b.example"];
  const namesIn = (options) => parse(options).nodes.map(({ address }) => address.tlsOptions.servername);
  assert.deepEqual(namesIn({ cluster: seeds, tls: { servername: "all" } }), ["all", "all"]);
  const both = { cluster: { seeds, tls: { servername: "own" } }, tls: { servername: "all" } };
  assert.deepEqual(namesIn(both), ["own", "own"]);
});

test("a table of addresses tells how the cluster announces its seeds", () => {
  const natMap = { "10.0.0.1:7000": "203.0.113.7:7001", "[fd00::2]:7000": "Gate.example:7002" };
  const { deployment } = parse({
    cluster: {
      seeds: ["redis://203.0.113.7:7001", "redis://gate.example:7002", "redis://203.0.113.7:7009"],
      natMap,
    },
  });
  assert.equal(deployment.addresses, "10.0.0.1:7000\nfd00::2:7000\n203.0.113.7:7009");
  const twins = { "10.0.0.1:7000": "203.0.113.7:7001" };
  const seeds = ["redis://203.0.113.7:7001", "redis://10.0.0.1:7000"];
  assertRefused({ cluster: { seeds, natMap: twins } }, /^cluster\.seeds\[1\] is the same server/);
});
