// Peers that refuse HELLO in words of their own, or by hanging up; and peers that are replicas.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, ServerError } from "../support/redlatch.js";

const redis = await startRedis({ after }, { password: "right" });

/** A real server, behind a proxy that treats HELLO as `hello(connection)` says. */
async function startProxy(scope, hello) {
  return startFakeServer(
    scope,
    await forwardingTo(redis, (args, connection) => (args[0] === "HELLO" ? hello(connection) : undefined)),
  );
}
const greetings = (proxy) => proxy.commands.filter(([name]) => name === "HELLO").length;

const HANGS_UP = "nothing but hanging up";
for (const [what, hello] of Object.entries({
  "an error in words of its own": () => "-ERR this proxy does not do that\r\n",
  "an error without a prefix": () => "-sorry\r\n",
  "a demand for AUTH first": () => "-NOAUTH Authentication required.\r\n",
  "an error, and hangs up": (connection) => {
    setImmediate(() => connection.cut());
    return "-ERR unsupported command\r\n";
  },
  [HANGS_UP]: (connection) => {
    connection.cut();
    return null;
  },
})) {
  test(`rule 14: a peer that answers HELLO with ${what} is used in RESP2, and remembered`, async (t) => {
    const proxy = await startProxy(t, hello);
    const client = openClient(t, `redis://:right@127.0.0.1:${proxy.port}/1`, { retry: { min: 5, max: 20 } });
    const key = freshKey();
    const lock = await client.tryAcquire(key);
    assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "in database 0");
    const waiting = client.acquire(key, { wait: 10_000 });
    assert.equal(await lock.release(), "released");
    assert.equal(await (await waiting).release(), "released");
    assert.equal(client.inspect().nodes[0].wakes, false);
    assert.equal(greetings(proxy), what === HANGS_UP ? 2 : 1, "one hang-up may be chance");
  });
}

test("rule 14: a peer that hangs up in RESP2 too fails a try, with the cause, after three connections", async (t) => {
  const peer = await startFakeServer(t, (_, connection) => {
    connection.cut();
    return null;
  });
  const error = await rejection(openClient(t, peer).tryAcquire(freshKey()));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", port: peer.port });
  assert.equal(peer.connections, 3);
});

test("rule 14: a replica has the keys, but is not used for locks", async (t) => {
  const master = await startRedis(t, { config: { "repl-diskless-sync-delay": 0 } });
  const replica = await startRedis(t, { config: { replicaof: ["127.0.0.1", master.port] } });
  const key = freshKey();
  const lock = await openClient(t, master).acquire(key);
  await until(async () => (await replica.send("GET", `lock:${key}`)) === lock.token, { what: "the copy" });
  const client = openClient(t, replica, { retry: { min: 5, max: 20 } });
  for (const asked of [client.tryAcquire(key), client.acquire(key, { wait: 300 })]) {
    assertLockError(await rejection(asked), {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "READONLY",
      port: replica.port,
      says: [/replica/],
    });
  }
  // Its turn comes when it is the master.
  const waiting = client.acquire(freshKey(), { wait: 20_000 });
  await replica.send("REPLICAOF", "NO", "ONE");
  assert.equal(await (await waiting).release(), "released");
});
