// Which sentinels are believed, what they may do, and where the master's password goes.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { everythingShown } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { startFakeServer } from "../support/fake-server.js";
import { recorder } from "../support/recorder.js";
import { LockError } from "../support/redlatch.js";
import { MASTER, startSentinels } from "../support/sentinels.js";

const PASSWORD = "canary-password-4711";
const OF_SENTINELS = "canary-sentinel-0815";
const group = await startSentinels(
  { after },
  { replicas: 0, password: PASSWORD, sentinelPassword: OF_SENTINELS },
);
const [server] = group.servers;
const login = `redis://:${PASSWORD}@/`;
const open = (t, sentinels, more, options) =>
  openClient(t, undefined, { sentinel: { name: MASTER, sentinels, url: login, ...more }, ...options });
const own = group.option.sentinels;

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
/** A sentinel that names this address. */
const naming = (scope, host, port) =>
  startFakeServer(scope, (args) => {
    if (args[0] === "HELLO") return `%1\r\n${bulk("mode")}${bulk("sentinel")}`;
    if (args[0] === "SUBSCRIBE") return `>3\r\n${bulk("subscribe")}${bulk(args[1])}:1\r\n`;
    if (args[0] === "SENTINEL") return `*2\r\n${bulk(host)}${bulk(String(port))}`;
    return "-ERR unknown command\r\n";
  });

test("one stale sentinel of three, first in the list, is not followed", async (t) => {
  const stale = await startFakeServer(t, () => "+OK\r\n");
  const behind = await naming(t, "127.0.0.1", stale.port);
  const client = open(t, [behind.url, ...own.slice(1)]);
  for (let number = 0; number < 5; number += 1) {
    assert.equal(await (await client.acquire(freshKey())).release(), "released");
  }
  assert.equal(stale.connections, 0);
});

test("while two sentinels disagree, nobody is connected to", async (t) => {
  const stale = await startFakeServer(t, () => "+OK\r\n");
  const behind = await naming(t, "127.0.0.1", stale.port);
  const client = open(t, [behind.url, own[0]]);
  const error = await rejection(client.tryAcquire(freshKey()));
  assert.ok(error instanceof LockError);
  assert.match(error.message, /the sentinels name different masters/);
  assert.equal(stale.connections, 0);
});

test("the rights that the README names are enough, and each login goes to its own servers", async (t) => {
  const client = open(t, own);
  const lock = await client.acquire(freshKey(), { fair: true });
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  assert.ok(client.inspect().nodes.every(({ fault }) => fault === null));
});

test("the credentials function is for the master alone", async (t) => {
  let asked = 0;
  const client = openClient(t, undefined, {
    sentinel: { name: MASTER, sentinels: own },
    credentials: () => {
      asked += 1;
      return { password: PASSWORD };
    },
  });
  await (await client.acquire(freshKey())).release();
  assert.equal(asked, 1);
});

test("a name that no sentinel knows, and a wrong password, fail at once", async (t) => {
  const unknown = open(t, own, { name: "another" });
  const error = await rejection(unknown.acquire(freshKey()));
  assert.equal(error.code, "LOCK_SERVER");
  assert.equal(error.prefix, "NOMASTER");
  assert.match(error.message, /no sentinel knows a master named "another"/);
  const wrong = open(
    t,
    own.map((url) => url.replace(OF_SENTINELS, "canary-wrong")),
  );
  const refused = await rejection(wrong.acquire(freshKey()));
  assert.equal(refused.prefix, "WRONGPASS", String(refused));
  assert.doesNotMatch(everythingShown(refused), /canary/);
});

test("a server that is no sentinel is named in the error", async (t) => {
  const error = await rejection(open(t, [server.url]).acquire(freshKey()));
  assert.equal(error.code, "LOCK_SERVER");
  assert.ok(error.message.includes(`127.0.0.1:${server.port}: `), error.message);
  assert.doesNotMatch(everythingShown(error), /canary/);
});

test("hostile sentinels lead nowhere, and the password goes to nobody", async (t) => {
  const evil = await startFakeServer(t, () => "+OK\r\n");
  for (const [host, port] of [
    ["evil.example", 6379],
    ["localhost.evil.example", 6379],
    ["10.0.0.1", 6379],
    ["8.8.8.8", 53],
    ["169.254.169.254", 80],
    ["2001:db8::1", 6379],
    ["0.0.0.0", evil.port],
    ["127.1", evil.port],
    ["2130706433", evil.port],
    ["__proto__", evil.port],
    ["?", evil.port],
    ["user:pw@127.0.0.1", evil.port],
    ["redis://127.0.0.1", evil.port],
    ["", evil.port],
    ["127.0.0.1", 0],
    ["127.0.0.1", -1],
    ["127.0.0.1", "99999999999999999999"],
    ["127.0.0.1", `${evil.port};`],
    ["a".repeat(300), evil.port],
    ["\u202eelpmaxe.live", evil.port],
  ]) {
    const liar = await naming(t, host, port);
    const { dials, transport } = recorder();
    const client = open(t, [liar.url], {}, { transport });
    const error = await rejection(client.acquire(freshKey(), { wait: 300 }), 15_000);
    assert.ok(error instanceof LockError, `${host}:${port}: ${error}`);
    assert.doesNotMatch(everythingShown([error, client.inspect()]), /canary|\u202e/, `${host}:${port}`);
    const elsewhere = dials.filter((dial) => dial.host !== "127.0.0.1" || dial.port !== liar.port);
    assert.deepEqual(elsewhere, [], `${host}:${port}`);
    assert.ok(dials.length > 0 && dials.every(({ written }) => !written.includes(PASSWORD)));
    await client.close({ timeout: 50 });
  }
  assert.equal(evil.connections, 0);
});
