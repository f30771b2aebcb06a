import { connect, type Socket } from "cloudflare:sockets";
import { reasonOf } from "../errors/text.js";
import type { Address, TlsOptions, Transport } from "../types/transport.js";

/**
 * The sockets of Cloudflare Workers. A socket belongs to the request, or the Durable Object, that opened it, and so does a
 * client.
 */
export const workerdTransport: Transport = {
  refuses({ path, tlsOptions }) {
    if (path !== null) return "workerd has no unix sockets";
    const given = (Object.keys(tlsOptions) as (keyof TlsOptions)[]).find(
      (key) => tlsOptions[key] !== undefined,
    );
    if (given === undefined) return undefined;
    return `tls.${given} is not supported in workerd, whose TLS uses the platform's authorities, the URL's host and no client certificate; remove it`;
  },

  async connect(address, handler, signal) {
    signal.throwIfAborted();
    const socket = open(address);
    const hangUp = () => void socket.close().catch(() => {});
    signal.addEventListener("abort", hangUp, { once: true });
    // `opened` and the reader report the same error below.
    socket.closed.catch(() => {});
    try {
      await socket.opened;
    } catch (error) {
      signal.throwIfAborted();
      throw explain(error, address);
    } finally {
      signal.removeEventListener("abort", hangUp);
    }
    const writer = socket.writable.getWriter();
    // A broken connection also ends the reader.
    const write = (bytes: Uint8Array) => void writer.write(bytes).catch(handler.close);
    receive(socket, handler.data).then(() => handler.close(), handler.close);
    return { write, close: hangUp };
  },
};

function open({ host, port, tls }: Address): Socket {
  const hostname = host.includes(":") ? `[${host}]` : host;
  return connect({ hostname, port }, { secureTransport: tls ? "on" : "off", allowHalfOpen: false });
}

async function receive(socket: Socket, data: (chunk: Uint8Array) => void): Promise<void> {
  const reader = socket.readable.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (value !== undefined) data(value);
    if (done) return;
  }
}

/** The runtime's own error says only that the connection failed. */
function explain(cause: unknown, { tls }: Address): Error {
  const advice = tls
    ? "does that port speak TLS, with a certificate for this host from an authority that the platform trusts?"
    : "is a server listening there, and is it reachable from here?";
  return new Error(`${reasonOf(cause)}; ${advice}`, { cause });
}
