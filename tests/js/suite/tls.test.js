// rediss://: certificates are checked, and NODE_EXTRA_CA_CERTS is how one's own authority is made known.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { freePort, startRedis } from "../support/redis.js";
import { ConnectionError } from "../support/redlatch.js";

const folder = mkdtempSync(join(tmpdir(), "redlatch-tls-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = (name) => join(folder, name);

/** An authority of our own and a certificate by it, for 127.0.0.1 and localhost. */
function makeCertificates() {
  const openssl = (...args) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  openssl(
    "req",
    "-x509",
    ...key,
    "-keyout",
    "ca.key",
    "-out",
    "ca.crt",
    "-days",
    "2",
    "-subj",
    "/CN=redlatch test authority",
  );
  openssl("req", ...key, "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=redis");
  writeFileSync(file("san.cnf"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl(
    "x509",
    "-req",
    "-in",
    "server.csr",
    "-CA",
    "ca.crt",
    "-CAkey",
    "ca.key",
    "-CAcreateserial",
    "-out",
    "server.crt",
    "-days",
    "2",
    "-extfile",
    "san.cnf",
  );
}

makeCertificates();
const tlsPort = await freePort();
const redis = await startRedis(
  { after },
  {
    config: {
      // The second address is not in the certificate; "-" lets it be absent.
      bind: ["127.0.0.1", "-127.0.0.2"],
      "tls-port": tlsPort,
      "tls-cert-file": file("server.crt"),
      "tls-key-file": file("server.key"),
      "tls-ca-cert-file": file("ca.crt"),
      "tls-auth-clients": "no",
    },
  },
);
const script = new URL("../workers/tls-locker.js", import.meta.url);
const trusting = { env: { NODE_EXTRA_CA_CERTS: file("ca.crt") } };

test("a certificate by an unknown authority is refused", async (t) => {
  const client = openClient(t, `rediss://127.0.0.1:${tlsPort}`);
  const error = await rejection(client.tryAcquire(freshKey()));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port: tlsPort,
    says: [/certificate|SELF_SIGNED|UNABLE_TO_VERIFY/i],
  });
});

test("a certificate by a known authority is accepted, by address and by name", async (t) => {
  for (const host of ["127.0.0.1", "localhost"]) {
    const worker = startWorker(t, script, { url: `rediss://${host}:${tlsPort}` }, trusting);
    assert.deepEqual(await worker.said(() => true), { outcome: "released" });
    assert.equal((await worker.exit).code, 0);
  }
});

test("a certificate for another name is refused", async (t) => {
  const worker = startWorker(t, script, { url: `rediss://127.0.0.2:${tlsPort}` }, trusting);
  const said = await worker.said(() => true);
  assert.equal(said.code, "LOCK_CONNECTION");
  if (process.platform === "linux") assert.match(said.message, /altname|does not match/i);
});

test("TLS to a port that does not speak it, and plain TCP to one that does", async (t) => {
  for (const url of [`rediss://127.0.0.1:${redis.port}`, `redis://127.0.0.1:${tlsPort}`]) {
    const error = await rejection(openClient(t, url, { connectTimeout: 1_000 }).tryAcquire(freshKey()));
    assert.match(error.code, /^LOCK_(CONNECTION|PROTOCOL)$/);
  }
});
