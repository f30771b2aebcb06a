// rediss://: who the server is gets verified, in the same way on every runtime, and an error says what to do about it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError, everythingShown } from "../support/assertions.js";
import { createAuthority } from "../support/certificates.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, createClient } from "../support/redlatch.js";

const scope = { after };
const ours = createAuthority(scope, "redlatch test authority");
const foreign = createAuthority(scope, "another authority");

async function startTls(certificate, config = {}) {
  const redis = await startRedis(scope, {
    config: {
      "tls-port": "free",
      "tls-cert-file": certificate.certFile,
      "tls-key-file": certificate.keyFile,
      "tls-ca-cert-file": ours.file,
      "tls-auth-clients": "no",
      ...config,
    },
  });
  const { port: plainPort, tlsPort: port } = redis;
  return { plainPort, port, url: `rediss://127.0.0.1:${port}` };
}

const full = ours.issue(["DNS:localhost", "IP:127.0.0.1"]);
const [server, named, strict, strict12, expired] = await Promise.all([
  startTls(full),
  startTls(ours.issue(["DNS:redis.internal"])),
  startTls(full, { "tls-auth-clients": "yes" }),
  startTls(full, { "tls-auth-clients": "yes", "tls-protocols": "TLSv1.2" }),
  startTls(ours.issue(["IP:127.0.0.1"], -1)),
]);
const ca = ours.certificate;
const { cert, key } = ours.issue(["DNS:client"]);
const stranger = foreign.issue(["DNS:client"]);

async function accepted(t, url, tls) {
  const lock = await openClient(t, url, { tls }).acquire(freshKey(), { wait: 0 });
  assert.equal(await lock.release(), "released");
}

async function refused(t, { url, port }, tls, ...says) {
  const error = await rejection(openClient(t, url, { tls }).tryAcquire(freshKey()));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", port, says });
  return error;
}

test("a certificate by an unknown authority is refused", async (t) => {
  await refused(t, server, {}, /certificate/, /tls\.ca\b/);
  await refused(t, server, { ca: foreign.certificate }, /certificate/, /tls\.ca\b/);
});

test("the switch that turns verification off for all of a process does not turn it off here", async (t) => {
  const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
  t.after(() => {
    if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
  });
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
  await refused(t, server, {}, /certificate/, /tls\.ca\b/);
});

test("a certificate by an authority in ca is accepted, by address and by name", async (t) => {
  await accepted(t, server.url, { ca });
  await accepted(t, server.url, { ca: [foreign.certificate, ca] });
  await accepted(t, `rediss://localhost:${server.port}`, { ca });
});

test("ca replaces the runtime's authorities", async (t) => {
  const script = new URL("../workers/tls-locker.js", import.meta.url);
  const env = { NODE_EXTRA_CA_CERTS: ours.file, DENO_CERT: ours.file };
  const outcomeOf = async (tls) =>
    startWorker(t, script, { url: server.url, tls }, { env }).said(() => true, 20_000);
  assert.deepEqual(await outcomeOf({}), { outcome: "released" }, "ours is one of the runtime's");
  const { code, message } = await outcomeOf({ ca: foreign.certificate });
  assert.equal(code, "LOCK_CONNECTION");
  assert.match(message, /tls\.ca\b/);
});

test("a certificate for another name is refused, and servername says which name it is for", async (t) => {
  await refused(t, named, { ca }, /does not match/, /tls\.servername/);
  await refused(t, named, { ca, servername: "other.internal" }, /does not match/, /tls\.servername/);
  await accepted(t, named.url, { ca, servername: "redis.internal" });
});

test("an expired certificate is refused", async (t) => {
  await refused(t, expired, { ca }, /expired/, /clock/);
});

for (const [version, { url, port }] of Object.entries({ "TLS 1.3": strict, "TLS 1.2": strict12 })) {
  test(`${version}: a server that requires a client certificate`, async (t) => {
    await accepted(t, url, { ca, cert, key });
    await refused(t, { url, port }, { ca }, /tls\.cert and tls\.key/);
    await refused(t, { url, port }, { ca, cert: stranger.cert, key: stranger.key }, /refuses/, /tls\.cert/);
  });
}

test("a client certificate and a server name together", async (t) => {
  const both = await startTls(ours.issue(["DNS:redis.internal"]), { "tls-auth-clients": "yes" });
  await accepted(t, both.url, { ca, cert, key, servername: "redis.internal" });
});

test("a key that cannot be used is not shown", async (t) => {
  const body = "c2VjcmV0c2VjcmV0c2VjcmV0";
  for (const bad of [`-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`, stranger.key]) {
    const error = await refused(t, strict, { ca, cert, key: bad });
    assert.ok(!everythingShown(error).includes(body));
    assert.ok(!everythingShown(error).includes(stranger.key.split("\n")[1]));
  }
});

test("an empty list of authorities, and an IP address as server name, are refused before anything is sent", () => {
  // There are runtimes that take an empty list for their own authorities.
  for (const tls of [{ ca: [] }, { servername: "127.0.0.1" }, { servername: "::1" }, { servername: "" }]) {
    assert.throws(() => createClient({ url: server.url, tls }), TypeError, JSON.stringify(tls));
  }
});

test("TLS to a port that does not speak it", async (t) => {
  const url = `rediss://127.0.0.1:${server.plainPort}`;
  const error = await rejection(
    openClient(t, url, { connectTimeout: 1_000, tls: { ca } }).tryAcquire(freshKey()),
  );
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/TLS/] });
});

test("plain TCP to a port that requires TLS", async (t) => {
  const error = await rejection(openClient(t, `redis://127.0.0.1:${server.port}`).tryAcquire(freshKey()));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/rediss:\/\//] });
});
