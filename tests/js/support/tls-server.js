// A redis-server with TLS, by an authority of the tests' own.
import { createAuthority } from "./certificates.js";
import { startRedis } from "./redis.js";

/** Returns { tlsPort, authority } (a file); its certificate is not for 127.0.0.2, where the server listens too. */
export async function startTlsRedis(scope) {
  const authority = createAuthority(scope, "redlatch test authority");
  const { certFile, keyFile } = authority.issue(["DNS:localhost", "IP:127.0.0.1"]);
  const { tlsPort } = await startRedis(scope, {
    config: {
      // "-" lets an address be absent.
      bind: ["127.0.0.1", "-127.0.0.2"],
      "tls-port": "free",
      "tls-cert-file": certFile,
      "tls-key-file": keyFile,
      "tls-ca-cert-file": authority.file,
      "tls-auth-clients": "no",
    },
  });
  return { tlsPort, authority: authority.file };
}
