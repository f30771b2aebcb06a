import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { nodeTransport } from "../../../pkg/dist/transport/node.js";
import * as fake from "./support/fake-core.js";
import { holding } from "./support/harness.js";

const { settle } = fake;

test("Node's transport: an abort ends the dial and its socket", async (t) => {
  const sockets = new Set();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket
      .on("error", () => {})
      .on("close", () => sockets.delete(socket))
      .resume();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = { host: "127.0.0.1", port: server.address().port, tls: false, tlsOptions: {}, path: null };
  const controller = new AbortController();
  const reason = new Error("not wanted any more");
  let dial;
  const closed = new Promise((resolve) => {
    dial = nodeTransport.connect(address, { data() {}, close: resolve }, controller.signal);
  });
  controller.abort(reason);
  await assert.rejects(dial, (error) => error === reason);
  await closed;
});

test("a listener under which the core traps: the poisoned core is not called any more", async () => {
  const { core, cores, lock, client, feed } = await holding();
  lock.signal.addEventListener("abort", () => {
    core.trapIn = "acquire";
    client.acquire("k").catch(() => {});
    core.trapIn = undefined;
  });
  core.outgoing.set(9, "bytes");
  feed([fake.KIND.lost, 1, 1], [fake.KIND.transmit, 9]);
  await settle();
  assert.equal(core.count("transmit"), 0);
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
