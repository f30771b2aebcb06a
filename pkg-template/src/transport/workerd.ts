import { connect, type Socket } from "cloudflare:sockets";
import { reasonOf } from "../errors/text.js";
import type { Address, TlsOptions, Transport } from "../types/types.js";

/**
 * The sockets of Cloudflare Workers. They belong to the request, or the Durable Object, in which they were opened, and
 * so does a client.
 */
export const workerdTransport: Transport = {
  refuses({ path, tlsOptions }) {
    if (path !== null) return "there are no unix sockets in workerd";
    const given = (Object.keys(tlsOptions) as (keyof TlsOptions)[]).find(
      (key) => tlsOptions[key] !== undefined,
    );
    if (given === undefined) return undefined;
    return `tls.${given} cannot be had in workerd, whose TLS takes the platform's authorities and the URL's host, and no client certificate; leave it out`;
  },

  async connect(address, handler, signal) {
    signal.throwIfAborted();
    const socket = open(address);
    const hangUp = () => void socket.close().catch(() => {});
    signal.addEventListener("abort", hangUp, { once: true });
    // Whatever it says is said below, by what was waited for.
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
    // A break shows in reading too.
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

/** The runtime says that it failed, and no more. */
function explain(cause: unknown, { tls }: Address): Error {
  const advice = tls
    ? "is there TLS on that port, with a certificate for this host by an authority that the platform trusts?"
    : "does a server listen there, and is it reachable from here?";
  return new Error(`${reasonOf(cause)}; ${advice}`, { cause });
}
