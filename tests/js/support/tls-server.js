// A redis-server with TLS, by an authority of the tests' own.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, startRedis } from "./redis.js";

/** Makes `ca.crt`, and `server.crt` with `server.key` for localhost and 127.0.0.1. */
function makeCertificates(folder) {
  const openssl = (command) => execFileSync("openssl", command.split(" "), { cwd: folder, stdio: "pipe" });
  const key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2";
  openssl(`req -x509 ${key} -keyout ca.key -out ca.crt -subj /CN=redlatch-test-authority`);
  openssl(`req ${key.replace(" -days 2", "")} -keyout server.key -out server.csr -subj /CN=redis`);
  writeFileSync(join(folder, "names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  const signed = "-in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out server.crt";
  openssl(`x509 -req ${signed} -days 2 -extfile names`);
}

/** Returns { tlsPort, authority } (a file); its certificate is not for 127.0.0.2, where the server listens too. */
export async function startTlsRedis(scope) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-tls-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  makeCertificates(folder);
  const file = (name) => join(folder, name);
  const tlsPort = await freePort();
  await startRedis(scope, {
    config: {
      // "-" lets an address be absent.
      bind: ["127.0.0.1", "-127.0.0.2"],
      "tls-port": tlsPort,
      "tls-cert-file": file("server.crt"),
      "tls-key-file": file("server.key"),
      "tls-ca-cert-file": file("ca.crt"),
      "tls-auth-clients": "no",
    },
  });
  return { tlsPort, authority: file("ca.crt") };
}
