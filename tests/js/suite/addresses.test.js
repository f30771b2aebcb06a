// Names with several addresses, of which some take long or never answer; and names whose look-up does.
import assert from "node:assert/strict";
import dns from "node:dns";
import { syncBuiltinESMExports } from "node:module";
import { connect } from "node:net";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { nodeTransport } from "../../../pkg/dist/transport/node.js";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { nobody, startRedis } from "../support/redis.js";
import { ConnectionError } from "../support/redlatch.js";

/** Names of this test's own; the look-up of one without addresses never ends. */
const names = new Map();
const { lookup } = dns;
dns.lookup = (name, options, callback) => {
  const addresses = names.get(name);
  if (addresses === undefined) return lookup(name, options, callback);
  if (addresses.length === 0) return undefined;
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

/** ms: long enough for a busy machine, and nothing that is waited for ends within it. */
const AT_ONCE = 2_000;

/** What a new connection may wait for, each with the options of a client, and whether it has come so far. */
const phases = {
  async "the look-up of its name"() {
    names.set("look-up.test", []);
    return { url: `redis://look-up.test:${redis.port}` };
  },
  async "a server that does not accept"(t) {
    await fallAsleep(t);
    return { url: `redis://127.0.0.3:${redis.port}` };
  },
  async "the answer to its handshake"(t) {
    const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
    proxy.deaf = true;
    return { url: proxy.url, begun: () => proxy.connections > 0 };
  },
  async "the credentials function"() {
    let asked = false;
    const credentials = () => {
      asked = true;
      return new Promise(() => {});
    };
    return { url: redis.url, credentials, begun: () => asked };
  },
};

for (const [phase, prepare] of Object.entries(phases)) {
  test(`an abort and a close are at once while a connection waits for ${phase}`, async (t) => {
    const dials = [];
    const transport = {
      connect(...args) {
        const dial = nodeTransport.connect(...args);
        dials.push(dial);
        return dial;
      },
    };
    const { url, credentials, begun = () => dials.length > 0 } = await prepare(t);
    const client = openClient(t, url, { transport, credentials, connectTimeout: 60_000 });
    for (const verb of ["acquire", "tryAcquire"]) {
      const controller = new AbortController();
      const acquiring = client[verb](freshKey(), { signal: controller.signal, wait: 60_000 });
      await until(begun, { what: phase });
      const reason = new Error("changed my mind");
      controller.abort(reason);
      assert.equal(await rejection(acquiring, AT_ONCE), reason, verb);
    }
    const pending = client.acquire(freshKey());
    await Promise.all([rejection(pending, AT_ONCE), settles(client.close(), AT_ONCE, "close")]);
    await settles(Promise.allSettled(dials), AT_ONCE, "the dial");
  });
}
