// How an application names a master behind sentinels, and what is refused at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromCommand } from "../../../pkg/dist/entry/exports.js";
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

const name = "mymaster";
const SENTINEL = "redis://s:canary@127.0.0.1:1";

test("sentinels are options, or a URL with several hosts", () => {
  for (const options of [
    {
      sentinel: {
        name,
        sentinels: ["redis://s:sp%2Bw@127.0.0.1:1", "redis://s:sp%2Bw@127.0.0.1:2"],
        url: "redis://u:pw@/3",
      },
    },
    "redis+sentinel://u:pw@127.0.0.1:1,127.0.0.1:2/3?name=mymaster&sentinelUser=s&sentinelPassword=sp%2Bw",
    {
      url: "Redis+Sentinel://u:pw@127.0.0.1:1,127.0.0.1:2/3?sentinelPassword=sp%2bw&sentinelUser=s&name=mymaster",
    },
  ]) {
    const { nodes, deployment, isRedlock } = parse(options);
    assert.deepEqual(
      nodes.map((node) => [node.name, node.user, node.password]),
      [
        ["127.0.0.1:1", "s", "sp+w"],
        ["127.0.0.1:2", "s", "sp+w"],
      ],
      inspect(options),
    );
    const { kind, master, pattern } = deployment;
    assert.deepEqual(
      [kind, master, pattern.user, pattern.password, pattern.database, isRedlock],
      ["sentinel", name, "u", "pw", 3, false],
    );
  }
});

test("ports, TLS and credentials have defaults", () => {
  const { nodes, deployment } = parse({
    sentinel: { name, sentinels: ["rediss://s1.example", "rediss://[::1]"] },
  });
  assert.deepEqual(
    nodes.map((node) => node.name),
    ["s1.example:26379", "[::1]:26379"],
  );
  const { pattern } = deployment;
  assert.deepEqual(
    [pattern.address.tls, pattern.user, pattern.password, pattern.database],
    [true, "", "", 0],
  );
  assert.equal(parse("redis+sentinel://s1.example?name=m").deployment.pattern.address.tls, false);
  const mixed = parse({ sentinel: { name, sentinels: ["redis://s1.example"], url: "rediss://:pw@/" } });
  assert.equal(mixed.deployment.pattern.address.tls, true);
});

test("what logs in to the master never goes to a sentinel", () => {
  const credentials = () => ({ password: "pw" });
  // Asked for at each connect, they would otherwise be refused in plaintext.
  const { nodes } = parse({ sentinel: { name, sentinels: ["redis://s1.example"] }, credentials });
  assert.deepEqual([nodes[0].user, nodes[0].password], ["", ""]);
});

test("a server that a sentinel names is reached as in a cluster, with the sentinels as seeds", () => {
  const locate = (sentinel, more) => parse({ sentinel: { name, ...sentinel }, ...more }).deployment.locate;
  const trusting = locate({ sentinels: ["redis://s1.redis.example"] });
  const { host, port, tls } = trusting("10.0.0.1:6379");
  assert.deepEqual([host, port, tls], ["10.0.0.1", 6379, false], "nothing secret goes there");
  const withPassword = { sentinels: ["redis://s1.redis.example"], url: "redis://:pw@/" };
  assert.throws(
    () => locate(withPassword)("10.0.0.1:6379"),
    /refusing to connect to .*a sentinel names: .*sentinel\.allow/,
  );
  assert.throws(
    () => locate({ ...withPassword, allow: ["10.0.0.1"] })("10.0.0.1:6379"),
    /refusing to send credentials in plaintext/,
  );
  assert.equal(locate(withPassword, { allowPlaintextAuth: true })("10.0.0.1:6379").host, "10.0.0.1");
  assert.throws(() => locate(withPassword, { allowPlaintextAuth: true })("8.8.8.8:6379"), /sentinel\.allow/);
  const overTls = locate({ sentinels: ["rediss://s1.redis.example"], url: "rediss://:pw@/" });
  assert.equal(overTls("10.0.0.1:6379").tlsOptions.servername, "s1.redis.example");
  assert.equal(overTls("db.redis.example:6379").tlsOptions.servername, undefined);
  const natMap = { "10.0.0.1:6379": "gate.example:7000" };
  assert.equal(locate({ sentinels: ["redis://s1.example"], natMap })("10.0.0.1:6379").host, "gate.example");
  assert.throws(() => trusting("s1.redis.example:26379"), /which is a sentinel and no master/);
  assert.throws(() => trusting("?:6379"), /a sentinel names "\?:6379", which is no address/);
});

test("what is not set fails whoever asks for a lock", () => {
  for (const [sentinel, says] of [
    [
      { name, sentinels: ["redis://127.0.0.1", undefined] },
      /^sentinel\.sentinels\[1\] is undefined; is the env/,
    ],
    [
      { name: undefined, sentinels: ["redis://127.0.0.1"] },
      /^sentinel\.name is undefined; is the environment/,
    ],
    [
      { name: "", sentinels: ["redis://127.0.0.1"] },
      /^sentinel\.name is an empty string; is the environment/,
    ],
    [
      { name, sentinels: ["redis://127.0.0.1"], url: "" },
      /^sentinel\.url is an empty string; is the environment/,
    ],
  ]) {
    const settings = parse({ sentinel });
    assert.match(settings.missing ?? "", says);
    assert.equal(settings.deployment, undefined);
    assert.equal(settings.isRedlock, false);
  }
});

for (const [what, options, ...says] of [
  [
    "a URL beside them",
    { url: "redis://h", sentinel: { name, sentinels: [SENTINEL] } },
    /^url and sentinel are mutually/,
  ],
  [
    "a cluster beside them",
    { cluster: ["redis://h"], sentinel: { name, sentinels: [SENTINEL] } },
    /^cluster and sentinel/,
  ],
  [
    "nodes beside their URL",
    { nodes: ["redis://h"], url: "redis+sentinel://h?name=m" },
    /^url and nodes are/,
  ],
  ["no name", { sentinel: { sentinels: [SENTINEL] } }, /^sentinel\.name must be a string; got undefined/],
  [
    "no name in a URL",
    "redis+sentinel://:canary@h",
    /^url: the name of the master is missing, such as \?name=/,
  ],
  [
    "a name with a space",
    { sentinel: { name: "a b", sentinels: [SENTINEL] } },
    /^sentinel\.name must be printable/,
  ],
  ["no sentinels", { sentinel: { name } }, /^sentinel\.sentinels must be an array of URLs; got undefined/],
  [
    "no sentinel",
    { sentinel: { name, sentinels: [] } },
    /^sentinel\.sentinels must name at least one server/,
  ],
  ["a string", { sentinel: SENTINEL }, /^sentinel must be an object with name and sentinels; got a string/],
  [
    "a sentinel twice",
    { sentinel: { name, sentinels: [SENTINEL, SENTINEL] } },
    /^sentinel\.sentinels\[1\] is the same sentinel as/,
  ],
  [
    "a sentinel's database",
    { sentinel: { name, sentinels: ["redis://127.0.0.1/1"] } },
    /^sentinel\.sentinels\[0\]: sentinels have no/,
  ],
  [
    "a master's host",
    { sentinel: { name, sentinels: [SENTINEL], url: "redis://:canary@h/1" } },
    /^sentinel\.url must be a URL without a host/,
  ],
  [
    "a master's scheme",
    { sentinel: { name, sentinels: [SENTINEL], url: "http://:canary@/1" } },
    /^sentinel\.url: unknown scheme/,
  ],
  [
    "a sentinel's password in plaintext",
    { sentinel: { name, sentinels: ["redis://:canary@h"] } },
    /^sentinel\.sentinels\[0\]: .*in plaintext/,
  ],
  [
    "TLS options without TLS",
    { sentinel: { name, sentinels: [SENTINEL], tls: {} } },
    /^sentinel\.tls has no effect/,
  ],
  [
    "TLS options for sentinels alone",
    { sentinel: { name, sentinels: ["rediss://h"], url: "redis://:canary@/" }, tls: {} },
    /^tls has no effect/,
  ],
  [
    "an unknown option",
    { sentinel: { name, sentinels: [SENTINEL], role: "slave" } },
    /role.*name, sentinels, url, natMap, allow, tls/,
  ],
  [
    "an unknown parameter",
    "redis+sentinel://:canary@h?name=m&db=1",
    /^url: an unknown parameter; the known ones are name, .*sentinelPassword/,
  ],
  [
    "a malformed parameter",
    "redis+sentinel://h?name=m&sentinelPassword=canary%",
    /^url: a parameter has a malformed percent/,
  ],
  [
    "a policy of another kind",
    { sentinel: { name, sentinels: [SENTINEL], allow: 5 } },
    /^sentinel\.allow must be a list/,
  ],
  [
    "a natMap of another kind",
    { sentinel: { name, sentinels: [SENTINEL], natMap: 5 } },
    /^sentinel\.natMap must be an object/,
  ],
  [
    "another client",
    { sentinel: { name, sentinels: [SENTINEL] }, transport: fromCommand(async () => null) },
    /^sentinel needs a transport to any address/,
  ],
]) {
  test(`sentinels are refused: ${what}`, () => assertRefused(options, ...says));
}
