// An error that every later connection would meet too is reported at once, however long the caller would wait.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { obstacleOf } from "../../../pkg/dist/errors/obstacle.js";
import { nodeTransport } from "../../../pkg/dist/transport/node.js";
import { assertLockError } from "../support/assertions.js";
import { createAuthority } from "../support/certificates.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles } from "../support/conditions.js";
import { nobody, startRedis } from "../support/redis.js";
import { ConnectionError, ProtocolError } from "../support/redlatch.js";

const authority = createAuthority({ after }, "redlatch test authority");
const { certFile, keyFile } = authority.issue(["DNS:elsewhere.test"]);
const redis = await startRedis(
  { after },
  {
    config: {
      "tls-port": "free",
      "tls-cert-file": certFile,
      "tls-key-file": keyFile,
      "tls-ca-cert-file": authority.file,
      "tls-auth-clients": "no",
    },
  },
);

/** The error of an acquire that would wait for a minute. */
const refused = (t, url, options) =>
  settles(
    rejection(openClient(t, url, options).acquire(freshKey(), { wait: 60_000 })),
    10_000,
    "an error at once",
  );

test("rule 14: an untrusted certificate, and one for another name", async (t) => {
  const url = `rediss://127.0.0.1:${redis.tlsPort}`;
  for (const tls of [undefined, { ca: authority.certificate }]) {
    const error = await refused(t, url, { tls });
    assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", port: redis.tlsPort });
    assert.match(error.message, tls === undefined ? /tls\.ca/ : /tls\.servername/);
  }
  const tls = { ca: authority.certificate, servername: "elsewhere.test" };
  const lock = await openClient(t, url, { tls }).acquire(freshKey());
  assert.equal(await lock.release(), "released");
});

test("rule 14: a permission that is given after a refusal counts at once", async (t) => {
  let permitted = false;
  const transport = {
    async connect(...args) {
      if (!permitted)
        throw Object.assign(new Error('Requires net access, run again with "--allow-net"'), {
          name: "NotCapable",
        });
      return nodeTransport.connect(...args);
    },
  };
  const client = openClient(t, redis, { transport });
  for (let times = 0; times < 10; times += 1) {
    const error = await settles(rejection(client.acquire(freshKey(), { wait: 60_000 })), 2_000);
    assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/allow-net/] });
  }
  permitted = true;
  assert.equal((await client.tryAcquire(freshKey())).held, true);
});

test("rule 14: a web server", async (t) => {
  const server = createServer((socket) => {
    socket.on("error", () => {}).resume();
    socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n");
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => new Promise((resolve) => server.close(resolve)));
  const { port } = server.address();
  const error = await refused(t, `redis://127.0.0.1:${port}`);
  assertLockError(error, { type: ProtocolError, code: "LOCK_PROTOCOL", port, says: [/Redis server/] });
});

test("rule 14: a server that refuses connections may be there soon", async (t) => {
  const started = performance.now();
  await rejection(openClient(t, nobody[0]).acquire(freshKey(), { wait: 400 }));
  assert.ok(performance.now() - started >= 390);
});

test("which errors are obstacles", () => {
  const named = (name) => Object.assign(new Error("x"), { name });
  const coded = (code) => Object.assign(new Error("x"), { code });
  assert.equal(obstacleOf(named("NotCapable")), "permission");
  assert.equal(obstacleOf(coded("ERR_ACCESS_DENIED")), "permission");
  assert.equal(obstacleOf(new Error("x", { cause: coded("SELF_SIGNED_CERT_IN_CHAIN") })), "certificate");
  const both = new AggregateError([named("NotCapable"), named("NotCapable")]);
  assert.equal(obstacleOf(both), "permission");
  // One address may be refused while another is only down.
  assert.equal(obstacleOf(new AggregateError([named("NotCapable"), coded("ECONNREFUSED")])), undefined);
  const circle = new Error("x");
  circle.cause = circle;
  const hostile = {
    get code() {
      throw new Error("a getter");
    },
  };
  for (const error of [
    circle,
    hostile,
    coded("ECONNRESET"),
    undefined,
    null,
    "text",
    7,
    new AggregateError([]),
  ]) {
    assert.equal(obstacleOf(error), undefined);
  }
});
