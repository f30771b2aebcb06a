// What becomes of an address that only the cluster has named: where it is, whether it is connected to, with which name in TLS.
import assert from "node:assert/strict";
import { test } from "node:test";
import { nameOfAnnounced } from "../../../pkg/dist/options/announced.js";
import { parseClientOptions } from "../../../pkg/dist/options/client.js";

const sockets = { connect() {} };

/** `locate` of a client with that cluster. */
function locatorOf(cluster, more = {}) {
  return parseClientOptions({ cluster, ...more }, sockets).voters[0].deployment.locate;
}

/** The host, the port and the name in TLS under which the client connects; or the error's message. */
function reached(locate, announced) {
  try {
    const { host, port, tls, tlsOptions, path } = locate(announced);
    assert.equal(path, null);
    return [host, port, ...(tls ? [tlsOptions.servername] : [])];
  } catch (error) {
    assert.ok(error instanceof Error);
    return error.message;
  }
}

const REFUSED =
  /^refusing to connect to .*, which the cluster names: nothing in the options vouches for that host; .*cluster\.allow$/;

test("the seeds' hosts are connected to, whatever the port, and names under their parent domain", () => {
  const locate = locatorOf(["rediss://:pw@ClusterCfg.x.cache.example", "rediss://:pw@solo.y.example:7000"]);
  for (const [announced, expected] of [
    ["clustercfg.x.cache.example:7000", ["clustercfg.x.cache.example", 7000, undefined]],
    ["0001.x.cache.example:6379", ["0001.x.cache.example", 6379, undefined]],
    ["A.B.X.Cache.Example:6379", ["A.B.X.Cache.Example", 6379, undefined]],
    ["solo.y.example.:1", ["solo.y.example.", 1, undefined]],
    ["other.y.example:1", ["other.y.example", 1, undefined]],
  ])
    assert.deepEqual(reached(locate, announced), expected);
  for (const evil of [
    "evil.example:6379",
    "x.cache.example:6379",
    "cache.example:6379",
    "evilx.cache.example:6379",
    "0001.x.cache.example.evil.example:6379",
    "x.cache.example.evil.test:6379",
    "localhost:6379",
    "3232235777:6379",
    "0x7f.1:6379",
  ])
    assert.match(reached(locate, evil), REFUSED, evil);
});

test("a domain of one label is nobody's, and neither is that of an IP address", () => {
  const named = locatorOf(["rediss://:pw@redis.example"]);
  assert.match(reached(named, "other.example:1"), REFUSED);
  assert.match(reached(locatorOf(["rediss://:pw@redis"]), "redis2:1"), REFUSED);
  assert.match(reached(locatorOf(["rediss://:pw@10.0.0.1"]), "evil.0.0.1:1"), REFUSED);
  assert.match(reached(locatorOf(["rediss://:pw@[2001:db8::1]"]), "evil:1"), REFUSED);
});

test("IP addresses: over TLS with the name of a seed", () => {
  const locate = locatorOf(["rediss://:pw@10.0.0.9", "rediss://:pw@redis.example"]);
  for (const ip of ["10.0.0.1", "203.0.113.7", "2001:db8::7"])
    assert.deepEqual(reached(locate, `${ip}:7000`), [ip, 7000, "redis.example"]);
  assert.deepEqual(reached(locate, "redis.example:7000"), ["redis.example", 7000, undefined]);
  const given = locatorOf(["rediss://:pw@10.0.0.9"], { tls: { servername: "given.example" } });
  assert.deepEqual(reached(given, "203.0.113.7:1"), ["203.0.113.7", 1, "given.example"]);
  assert.deepEqual(reached(given, "10.0.0.9:1"), ["10.0.0.9", 1, "given.example"]);
  const both = locatorOf(["rediss://:pw@redis.example"], { tls: { servername: "given.example" } });
  assert.deepEqual(reached(both, "203.0.113.7:1"), ["203.0.113.7", 1, "given.example"]);
  const unset = locatorOf(["rediss://:pw@redis.example"], { tls: { servername: undefined } });
  assert.deepEqual(reached(unset, "203.0.113.7:1"), ["203.0.113.7", 1, "redis.example"]);
  const nameless = locatorOf(["rediss://:pw@10.0.0.9"]);
  assert.match(reached(nameless, "10.0.0.1:1"), REFUSED, "its certificate could be for any address");
  assert.deepEqual(reached(nameless, "10.0.0.9:1"), ["10.0.0.9", 1, undefined]);
});

test("IP addresses: from this machine to this machine", () => {
  for (const seed of ["redis://:pw@127.0.0.1", "redis://:pw@localhost", "rediss://:pw@[::1]"]) {
    const locate = locatorOf([seed]);
    for (const host of ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
      assert.deepEqual(reached(locate, `${host}:7000`).slice(0, 2), [host, 7000], seed);
    // With a name, TLS makes sure of the others.
    if (!seed.includes("rediss")) assert.match(reached(locate, "10.0.0.1:1"), REFUSED);
    assert.match(reached(locate, "127.0.0.1.evil.example:1"), REFUSED);
  }
  assert.match(
    reached(locatorOf(["redis://:pw@10.0.0.9"], { allowPlaintextAuth: true }), "127.0.0.1:1"),
    REFUSED,
  );
});

test("IP addresses: without credentials, and in private networks with allowPlaintextAuth", () => {
  const open = locatorOf(["redis://10.0.0.9"]);
  for (const ip of ["10.0.0.1", "203.0.113.7", "2001:db8::7"])
    assert.deepEqual(reached(open, `${ip}:1`), [ip, 1]);
  assert.match(reached(open, "evil.example:1"), REFUSED);
  const asking = { credentials: () => ({ password: "pw" }), allowPlaintextAuth: true };
  const trusting = [
    locatorOf(["redis://:pw@redis.internal.example"], { allowPlaintextAuth: true }),
    locatorOf(["redis://u:@redis.internal.example"], { allowPlaintextAuth: true }),
    locatorOf(["redis://redis.internal.example"], asking),
  ];
  for (const locate of trusting) {
    for (const ip of [
      "10.1.2.3",
      "172.16.0.1",
      "172.31.9.9",
      "192.168.1.1",
      "fd12:3456::1",
      "fc00::1",
      "::ffff:10.0.0.1",
    ])
      assert.deepEqual(reached(locate, `${ip}:1`), [ip, 1]);
    for (const ip of [
      "11.0.0.1",
      "172.15.0.1",
      "172.32.0.1",
      "192.169.0.1",
      "100.64.0.1",
      "fe80::1",
      "fc::1",
      "::ffff:8.8.8.8",
    ])
      assert.match(reached(locate, `${ip}:1`), REFUSED, ip);
  }
});

test("a policy of the application's own decides alone", () => {
  const seeds = ["rediss://:pw@redis.x.example"];
  const listed = locatorOf({ seeds, allow: ["Other.example", "203.0.113.7", "2001:DB8::7"] });
  const denied = /^refusing to connect to .*: cluster\.allow does not allow it$/;
  assert.deepEqual(reached(listed, "other.EXAMPLE:1"), ["other.EXAMPLE", 1, undefined]);
  assert.deepEqual(reached(listed, "203.0.113.7:1"), ["203.0.113.7", 1, "redis.x.example"]);
  assert.deepEqual(reached(listed, "2001:db8::7:1"), ["2001:db8::7", 1, "redis.x.example"]);
  for (const other of ["redis.x.example", "a.x.example", "203.0.113.8"])
    assert.match(reached(listed, `${other}:1`), denied);
  assert.match(reached(locatorOf({ seeds, allow: [] }), "redis.x.example:1"), denied);

  const asked = [];
  const allow = (...args) => asked.push(args) === 1;
  const locate = locatorOf({ seeds, allow, natMap: { "10.0.0.1:1": "[2001:db8::1]:2" } });
  assert.deepEqual(reached(locate, "10.0.0.1:1"), ["2001:db8::1", 2, "redis.x.example"]);
  assert.match(reached(locate, "evil.example:3"), /^refusing to connect to evil\.example:3, /);
  assert.deepEqual(asked, [
    ["2001:db8::1", 2],
    ["evil.example", 3],
  ]);
});

test("a policy that throws, or does not return a boolean, allows nothing", () => {
  const seeds = ["redis://127.0.0.1"];
  const cause = new Error("no answer");
  const throws = locatorOf({
    seeds,
    allow: () => {
      throw cause;
    },
  });
  assert.throws(() => throws("127.0.0.1:2"), { message: "cluster.allow failed: no answer", cause });
  for (const answer of [1, "yes", undefined, null, {}, Promise.resolve(true)]) {
    const locate = locatorOf({ seeds, allow: () => answer });
    assert.match(reached(locate, "127.0.0.1:2"), /^cluster\.allow must return a boolean; got /);
  }
});

test("a table maps announced addresses, and its hosts are as good as seeds", () => {
  const natMap = {
    "10.0.0.1:7000": "203.0.113.7:7001",
    "Node-2:7000": "gate.test:7002",
    "[fd00::3]:1": "[2001:db8::3]:2",
  };
  const locate = locatorOf({ seeds: ["redis://:pw@198.51.100.1"], natMap }, { allowPlaintextAuth: true });
  assert.deepEqual(reached(locate, "10.0.0.1:7000"), ["203.0.113.7", 7001]);
  assert.deepEqual(reached(locate, "NODE-2:7000"), ["gate.test", 7002]);
  assert.deepEqual(reached(locate, "fd00::3:1"), ["2001:db8::3", 2]);
  assert.match(reached(locate, "203.0.113.8:7001"), REFUSED);
  assert.deepEqual(
    reached(locate, "10.0.0.1:7001"),
    ["10.0.0.1", 7001],
    "one port does not stand for another",
  );
});

test("a function maps announced addresses, and what it returns is checked like any", () => {
  const asked = [];
  const natMap = (address) => {
    asked.push(address);
    return address.startsWith("10.") ? address.replace("10.", "127.") : undefined;
  };
  const locate = locatorOf({ seeds: ["redis://:pw@127.0.0.1"], natMap });
  assert.deepEqual(reached(locate, "10.0.0.2:7000"), ["127.0.0.2", 7000]);
  assert.deepEqual(reached(locate, "::1:7000"), ["::1", 7000]);
  assert.match(reached(locate, "11.0.0.1:7000"), REFUSED);
  assert.deepEqual(asked, ["10.0.0.2:7000", "[::1]:7000", "11.0.0.1:7000"]);
  const cause = new TypeError("no such address");
  const throws = locatorOf({
    seeds: ["redis://127.0.0.1"],
    natMap: () => {
      throw cause;
    },
  });
  assert.throws(() => throws("127.0.0.1:2"), { message: "cluster.natMap failed: no such address", cause });
  for (const answer of [
    "canary",
    "h:0",
    "h:99999",
    "redis://:canary@h:1",
    "",
    5,
    null,
    {},
    Promise.resolve("h:1"),
  ]) {
    const wrong = locatorOf({ seeds: ["redis://127.0.0.1"], natMap: () => answer });
    const message = reached(wrong, "127.0.0.1:2");
    assert.match(message, /^cluster\.natMap must return host:port or undefined; got /);
    assert.doesNotMatch(message, /canary/);
  }
});

test("a password goes only over TLS, to this machine, or with allowPlaintextAuth, whatever the policy", () => {
  const PLAIN = /^refusing to send credentials in plaintext to a remote host; use TLS/;
  const allow = () => true;
  const seeds = ["redis://:pw@127.0.0.1"];
  assert.match(reached(locatorOf({ seeds, allow }), "10.0.0.1:1"), PLAIN);
  assert.match(reached(locatorOf({ seeds, natMap: { "a:1": "b:2" } }), "a:1"), PLAIN);
  assert.deepEqual(reached(locatorOf({ seeds, allow }), "127.0.0.2:1"), ["127.0.0.2", 1]);
  assert.deepEqual(reached(locatorOf({ seeds, allow }, { allowPlaintextAuth: true }), "10.0.0.1:1"), [
    "10.0.0.1",
    1,
  ]);
  assert.deepEqual(reached(locatorOf({ seeds: ["redis://127.0.0.1"], allow }), "10.0.0.1:1"), [
    "10.0.0.1",
    1,
  ]);
  const credentials = () => ({ password: "pw" });
  assert.match(
    reached(locatorOf({ seeds: ["redis://127.0.0.1"], allow }, { credentials }), "10.0.0.1:1"),
    PLAIN,
  );
  const secure = { connect() {}, secure: ({ host }) => host !== "10.0.0.2" };
  const over = locatorOf({ seeds, allow }, { transport: secure });
  assert.deepEqual(reached(over, "10.0.0.1:1"), ["10.0.0.1", 1]);
  assert.match(reached(over, "10.0.0.2:1"), /in plaintext/);
  const tls = locatorOf({ seeds: ["rediss://:pw@127.0.0.1"], allow });
  assert.deepEqual(reached(tls, "10.0.0.1:1"), ["10.0.0.1", 1, undefined], "TLS stays TLS");
});

test("what the transport cannot serve is refused with its reason", () => {
  const transport = {
    connect() {},
    refuses: ({ tlsOptions }) => tlsOptions.servername && "no such name here",
  };
  const locate = locatorOf(["rediss://:pw@a.x.example"], { transport });
  assert.equal(reached(locate, "10.0.0.1:1"), "no such name here");
  assert.deepEqual(reached(locate, "b.x.example:1"), ["b.x.example", 1, undefined]);
});

test("an announced address is a name for messages: brackets around IPv6, escaped and cut if it is odd", () => {
  assert.equal(nameOfAnnounced("redis.example:6379"), "redis.example:6379");
  assert.equal(nameOfAnnounced("2001:db8::1:6379"), "[2001:db8::1]:6379");
  const odd = `a\nb\u001b[31m${"x".repeat(5_000)}:1`;
  assert.ok(nameOfAnnounced(odd).length < 80);
  assert.doesNotMatch(nameOfAnnounced(odd), /\p{Cc}/u);
  const locate = locatorOf({ seeds: ["redis://127.0.0.1"], allow: () => true });
  for (const address of [
    odd,
    "h",
    "h:",
    ":1",
    "h:0",
    "h:65536",
    "h:-1",
    "a b:1",
    "h:1\r\nAUTH x:1",
    "__proto__",
  ])
    assert.match(reached(locate, address), /^the cluster names ".*", which is no address$/, address);
  assert.deepEqual(reached(locate, "__proto__:1"), ["__proto__", 1]);
  const table = locatorOf({ seeds: ["redis://127.0.0.1"], natMap: { "a:1": "127.0.0.1:2" } });
  for (const name of ["__proto__:1", "constructor:1"]) assert.match(reached(table, name), REFUSED);
});
