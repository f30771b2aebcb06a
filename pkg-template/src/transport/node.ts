import * as net from "node:net";
import type { Connection, Transport } from "../types/transport.js";
import { dial } from "./dial.js";
import { explainTls, openTls } from "./tls.js";

/** Detects dead peers on idle connections, ms. */
const KEEP_ALIVE = 10_000;

/**
 * Node.js's own sockets: tcp, TLS with verification, and unix sockets. Deno and Bun use them too. Deno's own keep the kernel's
 * two hours between keep-alive probes, and their TLS trusts the default authorities beside `ca`, or sends no client
 * certificate. Bun's own save some time for single commands and little for many, but may write only part of a chunk, and
 * some releases of Bun keep talking to a server whose certificate is not trusted.
 */
export const nodeTransport: Transport = {
  async connect(address, handler, signal) {
    signal.throwIfAborted();
    const { port, path, tls } = address;
    const open = (host: string) => {
      if (path !== null) return net.connect({ path });
      return tls ? openTls(address, host) : net.connect({ host, port });
    };
    const use = (socket: net.Socket) => take(socket, handler);
    return dial(address, open, tls ? "secureConnect" : "connect", use, signal);
  },
};

/** Makes a connection of a socket that is open. */
function take(socket: net.Socket, handler: Parameters<Transport["connect"]>[1]): Connection {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE);
  let failure: unknown;
  socket.on("data", (chunk) => handler.data(chunk));
  // "close" follows every "error", so one place reports the end.
  socket.on("error", (error) => {
    failure = explainTls(error);
  });
  socket.on("close", () => handler.close(failure));
  return {
    write: (bytes) => void socket.write(bytes),
    close: () => void socket.destroy(),
    ref: () => void socket.ref(),
    unref: () => void socket.unref(),
  };
}
