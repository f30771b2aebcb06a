// A server that has been taken over, or someone in the middle, sends the client elsewhere: it connects to no host that it has no
// reason to trust, and the password goes nowhere.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { everythingShown } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { rejection } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { recorder } from "../support/recorder.js";
import { LockError } from "../support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";

const PASSWORD = "canary-password-4711";
const cluster = await startCluster({ after }, { nodes: 1, rights: NEEDED_IN_CLUSTER });
const [node] = cluster.nodes;
const evil = await startFakeServer({ after }, () => "+OK\r\n");

/** Where a redirection leads; EVIL is the port of a server that listens on this machine. */
const TARGETS = [
  "evil.example:6379",
  "127.0.0.1.evil.example:6379",
  "localhost.evil.example:6379",
  "127.0.0.1@evil.example:6379",
  "evil.example/127.0.0.1:6379",
  "10.0.0.1:6379",
  "192.168.1.1:6379",
  "169.254.169.254:80",
  "8.8.8.8:53",
  "2001:db8::1:6379",
  "[2001:db8::1]:6379",
  "::ffff:8.8.8.8:6379",
  "0.0.0.0:EVIL",
  "127.1:EVIL",
  "2130706433:EVIL",
  "0x7f000001:EVIL",
  "__proto__:EVIL",
  "constructor:EVIL",
  "?:EVIL",
  "user:pw@127.0.0.1:EVIL",
  "redis://127.0.0.1:EVIL",
  "127.0.0.1:EVIL:EVIL",
  "127.0.0.1:0",
  "127.0.0.1:-1",
  "127.0.0.1:99999999999999999999",
  "127.0.0.1:EVIL;",
  "127.0.0.1",
  "",
  " 127.0.0.1:EVIL",
  "a\u0000b:EVIL",
  `${"a".repeat(300)}:EVIL`,
  "\u202eelpmaxe.live:EVIL",
];

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
/** The map of a cluster with one server. */
const mapOf = (host, port) =>
  `*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n${bulk(host)}:${port}\r\n${bulk("a".repeat(40))}%0\r\n`;

/** A redirection for the slot of a script's keys. */
const redirected = async (args, prefix, target) =>
  `-${prefix} ${await cluster.slotOf(args[3])} ${target}\r\n`;

const redirection = (prefix) => (target, own) => (args) => {
  if (args[0] === "CLUSTER") return mapOf("127.0.0.1", own());
  return /^EVAL/.test(args[0]) ? redirected(args, prefix, target) : undefined;
};
/** The way in which a server sends a client there: by name, what it answers to a command in place of the real one's reply. */
const ways = {
  MOVED: redirection("MOVED"),
  ASK: redirection("ASK"),
  "the map": (target) => (args) => {
    const [, host, port] = /^(.*?):?(-?\d*)$/s.exec(target);
    return args[0] === "CLUSTER" ? mapOf(host, port || evil.port) : undefined;
  },
};

async function assertNowhereElse(t, answer, target, more) {
  const text = target.replaceAll("EVIL", evil.port);
  const seed = await startFakeServer(
    t,
    await forwardingTo(
      node,
      answer(text, () => seed.port),
    ),
  );
  const { dials, transport } = recorder();
  const seeds = [`redis://:${PASSWORD}@127.0.0.1:${seed.port}`];
  const client = openClient(t, undefined, { cluster: { seeds, ...more }, transport });
  const error = await rejection(client.acquire(freshKey(), { wait: 500 }), 10_000);
  assert.ok(error instanceof LockError, String(error));
  assert.doesNotMatch(everythingShown([error, client.inspect()]), /canary/);
  assert.doesNotMatch(error.message, /\p{Cc}/u);
  assert.ok(error.message.length < 600, `${error.message.length} characters`);
  const elsewhere = dials.filter(({ host, port }) => host !== "127.0.0.1" || port !== seed.port);
  assert.deepEqual(elsewhere, [], target);
  assert.ok(dials.length > 0 && dials.some(({ written }) => written.includes(PASSWORD)), "the seed gets it");
  await client.close({ timeout: 500 });
  return error;
}

for (const [way, answer] of Object.entries(ways)) {
  test(`no connection to where ${way} leads, unless there is a reason to trust the host`, async (t) => {
    // In a map, no host and port 0 mean those of the server that sent it.
    const targets = TARGETS.filter((target) => way !== "the map" || !/^(127\.0\.0\.1(:0)?)?$/.test(target));
    await Promise.all(targets.map((target) => assertNowhereElse(t, answer, target)));
    assert.equal(evil.connections, 0);
  });

  test(`no connection to where ${way} leads on this machine, if the application's policy does not allow it`, async (t) => {
    for (const allow of [[], ["evil.example"], (_, port) => port !== evil.port]) {
      const error = await assertNowhereElse(t, answer, "127.0.0.1:EVIL", { allow });
      assert.match(error.message, /cluster\.allow does not allow it/);
      assert.ok(error.message.includes(`127.0.0.1:${evil.port}`), error.message);
    }
    assert.equal(evil.connections, 0);
  });
}

test("redirections in a circle are followed a few times only", async (t) => {
  const asked = [0, 0];
  const servers = [];
  for (const at of [0, 1]) {
    const answer = await forwardingTo(node, (args) => {
      if (args[0] === "CLUSTER") {
        const { port } = servers[at];
        return `*1\r\n*3\r\n:0\r\n:16383\r\n*4\r\n${bulk("127.0.0.1")}:${port}\r\n${bulk("a".repeat(40))}%0\r\n`;
      }
      if (!args[0].startsWith("EVAL")) return undefined;
      asked[at] += 1;
      return redirected(args, "MOVED", `127.0.0.1:${servers[1 - at].port}`);
    });
    servers.push(await startFakeServer(t, answer));
  }
  const client = openClient(t, undefined, { cluster: servers.map(({ url }) => url) });
  const error = await rejection(client.acquire(freshKey(), { wait: 0 }), 10_000);
  assert.ok(error instanceof LockError, String(error));
  assert.ok(asked[0] + asked[1] <= 6 + 6, `${asked}`);
  assert.ok(asked[0] > 0 && asked[1] > 0);
});
