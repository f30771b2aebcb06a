import * as net from "node:net";
import * as tls from "node:tls";
import type { Address } from "../types/types.js";

/** Opens a socket that verifies the server. Throws what it is that the runtime cannot read in certificate or key. */
export function openTls({ host, port, tlsOptions }: Address): tls.TLSSocket {
  const { ca, cert, key, servername } = tlsOptions;
  // An IP address is verified as such; as a server name it is not allowed.
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return tls.connect({
    host,
    port,
    // Not left to NODE_TLS_REJECT_UNAUTHORIZED, which may be meant for somebody else.
    rejectUnauthorized: true,
    ...(name !== undefined && { servername: name }),
    ...(ca !== undefined && { ca: [ca].flat() }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  });
}

const UNKNOWN_AUTHORITY = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
]);

/** Adds to a failure of TLS what can be done about it; other errors are handed back as they are. */
export function explainTls(error: Error): Error {
  const code = String((error as NodeJS.ErrnoException).code);
  const remedy = remedyFor(code);
  if (remedy === undefined) return error;
  // The words for an alert are the TLS library's, with places in its sources.
  const message = code.includes("ALERT") ? `${remedy} (${code})` : `${error.message}; ${remedy}`;
  return new Error(message, { cause: error });
}

/** By code: Node.js, Deno and Bun agree on these, but not on the words. */
function remedyFor(code: string): string | undefined {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return "the server's certificate is by an authority that is not trusted here: give that authority's in tls.ca";
  }
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return "the server's certificate is for another name: give the name that it is for in tls.servername";
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "the server needs a certificate that is valid today, or this machine's clock is wrong";
  }
  // Alerts are what the server says about us. TLS 1.2 has none of its own for a missing certificate.
  if (/ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return "the server wants a certificate of ours: give it in tls.cert and tls.key";
  }
  if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|DECRYPT_ERROR|CERTIFICATE_\w+)/.test(code)) {
    return "the server refuses the certificate in tls.cert: is it by an authority that the server trusts, and does tls.key belong to it?";
  }
  return undefined;
}
