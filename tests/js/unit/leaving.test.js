import assert from "node:assert/strict";
import dns from "node:dns";
import { EventEmitter, once } from "node:events";
import { syncBuiltinESMExports } from "node:module";
import net, { createServer } from "node:net";
import { test } from "node:test";
import { dial } from "../../../pkg/dist/transport/dial.js";
import { nodeTransport } from "../../../pkg/dist/transport/node.js";
import { until } from "../support/conditions.js";
import * as fake from "./support/fake-core.js";
import { holding } from "./support/harness.js";

const { settle } = fake;

function addressOf(host, port, tls = false) {
  return { host, port, tls, tlsOptions: {}, path: null };
}

/** Until the end of the test, every name has these addresses. */
function resolveTo(t, addresses) {
  const found = addresses.map((address) => ({ address, family: 4 }));
  const { mock } = t.mock.method(dns, "lookup", (_name, _options, callback) =>
    setImmediate(callback, null, found),
  );
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
}

/** A server that accepts connections and says nothing, and the first connection to it, once there is one. */
async function silentServer(t) {
  const server = createServer((socket) => {
    t.after(() => socket.destroy());
    socket.on("error", () => {}).resume();
  });
  const connected = once(server, "connection");
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => server.close());
  return { port: server.address().port, connected };
}

/** How many timers of this process are running. */
const timers = () => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

const noHandler = { data: assert.fail, close: assert.fail };

test("Node's transport: an abort while the name is resolved opens no socket", async (t) => {
  const connect = t.mock.method(net, "connect", assert.fail);
  resolveTo(t, ["127.0.0.1"]);
  const controller = new AbortController();
  const dialling = nodeTransport.connect(addressOf("some.test", 6379), noHandler, controller.signal);
  const reason = new Error("not wanted any more");
  controller.abort(reason);
  await assert.rejects(dialling, (error) => error === reason);
  connect.mock.restore();
  syncBuiltinESMExports();
  assert.equal(connect.mock.callCount(), 0);
});

test("Node's transport: an abort ends the dial, its socket and its timer", async (t) => {
  const { port, connected } = await silentServer(t);
  resolveTo(t, ["127.0.0.1", "127.0.0.2"]);
  const before = timers();
  const controller = new AbortController();
  // The server never answers the TLS handshake.
  const dialling = nodeTransport.connect(addressOf("some.test", port, true), noHandler, controller.signal);
  const [socket] = await connected;
  assert.equal(timers(), before + 1);
  const reason = new Error("not wanted any more");
  controller.abort(reason);
  await assert.rejects(dialling, (error) => error === reason);
  assert.equal(timers(), before);
  await until(() => socket.closed, { what: "the end of the socket" });
});

test("Node's transport: an address that cannot even be tried leaves no timer behind", async (t) => {
  resolveTo(t, ["127.0.0.1", "127.0.0.2", "127.0.0.3"]);
  const before = timers();
  const socket = new EventEmitter();
  const tried = [];
  const open = (host) => {
    tried.push(host);
    if (tried.length === 1) throw new Error("not permitted");
    setImmediate(() => socket.emit("connect"));
    return socket;
  };
  const { signal } = new AbortController();
  assert.equal(await dial(addressOf("some.test", 6379), open, "connect", (used) => used, signal), socket);
  assert.deepEqual(tried, ["127.0.0.1", "127.0.0.2"]);
  assert.equal(timers(), before);
});

test("a listener in which the core traps: the poisoned core is not called any more", async () => {
  const { core, cores, dial, lock, client, feed } = await holding();
  lock.signal.addEventListener("abort", () => {
    core.trapIn = "acquire";
    client.acquire("k").catch(() => {});
    core.trapIn = undefined;
  });
  core.outgoing.set(9, "bytes");
  feed([fake.KIND.lost, 1, 1], [fake.KIND.transmit, 9]);
  await settle();
  assert.deepEqual(dial.connection.written, []);
  assert.equal(cores.length, 1);
});

for (const end of ["lost", "released"]) {
  test(`rule 18: a lock whose signal was looked at keeps the process alive until it is ${end}`, async () => {
    const { core, clock, dial, lock, feed } = await holding();
    core.delay = 100;
    feed();
    const kept = () => [[...clock.timers.keys()][0].kept, dial.connection.kept];
    assert.deepEqual(kept(), [false, false]);
    void lock.signal;
    assert.deepEqual(kept(), [true, true]);
    const releasing = lock.release();
    feed([fake.KIND[end], 1, 1]);
    assert.equal(await releasing, "expired");
    assert.deepEqual(kept(), [false, false]);
  });
}
