import * as net from "node:net";
import * as tls from "node:tls";
import { OTHER_NAME, UNKNOWN_AUTHORITY } from "../errors/obstacle.js";
import type { Address } from "../types/transport.js";

/**
 * Opens a socket to an IP address of the host, and verifies that the host is there. Throws if the runtime cannot read the
 * certificate or the key.
 */
export function openTls({ host, port, tlsOptions }: Address, ip: string): tls.TLSSocket {
  const { ca, cert, key, servername } = tlsOptions;
  // An IP address is verified as such, and is not allowed as a server name.
  const name = servername ?? (net.isIP(host) === 0 ? host : undefined);
  return tls.connect({
    host: ip,
    port,
    // Explicit, because NODE_TLS_REJECT_UNAUTHORIZED may be meant for other code.
    rejectUnauthorized: true,
    ...(name !== undefined && { servername: name }),
    ...(ca !== undefined && { ca: [ca].flat() }),
    ...(cert !== undefined && key !== undefined && { cert, key }),
  });
}

/** Adds a remedy to a TLS error; other errors are returned unchanged. */
export function explainTls(error: Error): Error {
  const code = String((error as NodeJS.ErrnoException).code);
  const remedy = remedyFor(code);
  if (remedy === undefined) return error;
  // The message of an alert is the TLS library's, with positions in its sources.
  const message = code.includes("ALERT") ? `${remedy} (${code})` : `${error.message}; ${remedy}`;
  return new Error(message, { cause: error });
}

/** By code: Node.js, Deno and Bun agree on the codes, but not on the messages. */
function remedyFor(code: string): string | undefined {
  if (UNKNOWN_AUTHORITY.has(code)) {
    return "the server's certificate comes from an untrusted authority: give that authority's certificate in tls.ca";
  }
  if (code === OTHER_NAME) {
    return "the server's certificate is for another name: give that name in tls.servername";
  }
  if (code === "CERT_HAS_EXPIRED" || code === "CERT_NOT_YET_VALID") {
    return "the server's certificate is not valid at this time, or this machine's clock is wrong";
  }
  // Alerts are the server's errors about the client. TLS 1.2 has no alert for a missing certificate.
  if (/ALERT_CERTIFICATE_REQUIRED|ALERT_HANDSHAKE_FAILURE/.test(code)) {
    return "the server requires a client certificate: give it in tls.cert and tls.key";
  }
  if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|DECRYPT_ERROR|CERTIFICATE_\w+)/.test(code)) {
    return "the server refuses the certificate in tls.cert: does it come from an authority that the server trusts, and does tls.key match it?";
  }
  return undefined;
}
