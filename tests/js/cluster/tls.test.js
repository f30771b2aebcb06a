// A cluster over TLS, whose map names its servers by IP addresses, as most do, and whose certificates are for a name.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createServer } from "node:tls";
import { assertLockError } from "../support/assertions.js";
import { createAuthority } from "../support/certificates.js";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { rejection } from "../support/conditions.js";
import { ConnectionError } from "../support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";

const authority = createAuthority({ after }, "redlatch test authority");
const own = authority.issue(["DNS:localhost"]);
const cluster = await startCluster(
  { after },
  {
    nodes: 2,
    rights: NEEDED_IN_CLUSTER,
    config: {
      "tls-port": "free",
      "tls-cluster": "yes",
      "tls-cert-file": own.certFile,
      "tls-key-file": own.keyFile,
      "tls-ca-cert-file": authority.file,
      "tls-auth-clients": "no",
    },
  },
);
const [one, other] = cluster.nodes;
const tls = { ca: authority.certificate };
const open = (t, host, more = {}, options = {}) =>
  openClient(t, undefined, {
    cluster: { seeds: [`rediss://:canary-password@${host}:${one.tlsPort}`], tls, ...more },
    ...options,
  });

/** A server that has the authority's certificate for these names: { port, heard: what was sent to it }. */
async function startImpostor(scope, names) {
  const { cert, key } = authority.issue(names);
  const impostor = { heard: "", sessions: 0 };
  const server = createServer({ cert, key }, (socket) => {
    impostor.sessions += 1;
    socket.on("data", (bytes) => {
      impostor.heard += bytes.toString("latin1");
    });
    socket.on("error", () => {});
  });
  server.on("tlsClientError", () => {});
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  scope.after(() => server.close());
  return Object.assign(impostor, { port: server.address().port });
}

test("servers that the map names by IP address are verified by the seed's name", async (t) => {
  const client = open(t, "localhost");
  for (const node of cluster.nodes) {
    const lock = await client.acquire(await cluster.freshKeyOn(node));
    assert.equal(await lock.release(), "released");
  }
  const names = client.inspect().nodes.filter(({ state }) => state === "ready");
  assert.ok(names.some(({ node }) => node === `127.0.0.1:${other.tlsPort}`));
});

test("servers are verified by tls.servername, if it is given", async (t) => {
  const client = open(t, "127.0.0.1", { tls: { ...tls, servername: "localhost" } });
  const lock = await client.acquire(await cluster.freshKeyOn(other));
  assert.equal(await lock.release(), "released");
  const wrong = open(t, "localhost", { tls: { ...tls, servername: "redis.example" } });
  const error = await rejection(wrong.acquire(freshKey(), { wait: 2_000 }));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/for another name/] });
});

test("whoever has a certificate for the IP address alone gets no byte", async (t) => {
  for (const names of [["IP:127.0.0.1"], ["DNS:evil.example"]]) {
    const impostor = await startImpostor(t, names);
    const natMap = { [`127.0.0.1:${other.tlsPort}`]: `127.0.0.1:${impostor.port}` };
    const client = open(t, "localhost", { natMap });
    const error = await rejection(client.acquire(await cluster.freshKeyOn(other), { wait: 2_000 }));
    assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/for another name/] });
    assert.equal(error.node, `127.0.0.1:${other.tlsPort}`);
    assert.equal(impostor.heard, "");
  }
  // With the seed's name, it is taken for what it says it is.
  const impostor = await startImpostor(t, ["DNS:localhost"]);
  const natMap = { [`127.0.0.1:${other.tlsPort}`]: `127.0.0.1:${impostor.port}` };
  const client = open(t, "localhost", { natMap }, { connectTimeout: 500 });
  await rejection(client.acquire(await cluster.freshKeyOn(other), { wait: 700 }));
  assert.match(impostor.heard, /HELLO/, "the test can tell");
});
