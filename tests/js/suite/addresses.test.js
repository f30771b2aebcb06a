// Names with several addresses, of which some take long or never answer.
import assert from "node:assert/strict";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { connect } from "node:net";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { nobody, startRedis } from "../support/redis.js";
import { ConnectionError } from "../support/redlatch.js";

/** Names of this test's own. */
const names = new Map();
const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  const addresses = names.get(name);
  if (addresses === undefined) return lookup(name, options, callback);
  setImmediate(
    callback,
    null,
    addresses.map((address) => ({ address, family: 4 })),
  );
};
syncBuiltinESMExports();
after(() => {
  dns.lookup = lookup;
  syncBuiltinESMExports();
});

const redis = await startRedis({ after }, { config: { bind: ["127.0.0.1", "127.0.0.2"] } });

const sleeper = await startRedis(
  { after },
  { port: redis.port, config: { bind: ["127.0.0.3"], "tcp-backlog": 1 } },
);

/** From now on, until `wake()`, the kernel answers nobody at 127.0.0.3: the server sleeps, and its queue is full. */
async function fallAsleep(scope) {
  sleeper.pause();
  const queue = Array.from({ length: 8 }, () => connect({ host: "127.0.0.3", port: redis.port }));
  for (const socket of queue) socket.on("error", () => {});
  const wake = () => {
    for (const socket of queue) socket.destroy();
    sleeper.resume();
  };
  scope.after(wake);
  const taken = () => queue.filter(({ connecting }) => !connecting).length;
  for (let before = -1; before !== taken(); await pause(50)) before = taken();
  assert.ok(taken() < queue.length, "the queue is full");
  return wake;
}

test("a name with several addresses is served by the one that answers", async (t) => {
  await fallAsleep(t);
  names.set("one.test", ["127.0.0.3", "127.0.0.2"]);
  names.set("other.test", ["127.0.0.2", "127.0.0.3"]);
  names.set("refused.test", ["127.0.0.4", "127.0.0.3", "127.0.0.2"]);
  names.set("silent.test", ["127.0.0.3"]);
  for (const name of ["one.test", "other.test", "refused.test"]) {
    const client = openClient(t, `redis://${name}:${redis.port}`, { connectTimeout: 10_000 });
    assert.equal(await (await client.acquire(freshKey(), { wait: 0 })).release(), "released", name);
  }
  const started = performance.now();
  const client = openClient(t, `redis://silent.test:${redis.port}`, { connectTimeout: 700 });
  assertLockError(await rejection(client.acquire(freshKey(), { wait: 0 })), {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    says: [/connectTimeout/],
  });
  assert.ok(performance.now() - started >= 650, "not earlier");
});

test("an address that needs longer than its head start is waited for, while another never answers", async (t) => {
  const wake = await fallAsleep(t);
  // Both are silent, until one of them wakes up: its kernel takes the second SYN, a second after the first.
  names.set("slow.test", ["127.0.0.3", "127.0.0.3"]);
  const client = openClient(t, `redis://slow.test:${redis.port}`, { connectTimeout: 10_000 });
  const waiting = client.acquire(freshKey(), { wait: 0 });
  await pause(600);
  wake();
  assert.equal(await (await waiting).release(), "released");
});

test("if no address accepts, the error of each is reported", async (t) => {
  names.set("nobody.test", ["127.0.0.1", "127.0.0.2"]);
  const client = openClient(t, `redis://nobody.test:${nobody[0].port}`);
  const error = await rejection(client.acquire(freshKey(), { wait: 0 }));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", port: nobody[0].port });
  assert.match(error.message, /ECONNREFUSED/);
});
