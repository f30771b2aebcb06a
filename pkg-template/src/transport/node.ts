import { Buffer } from "node:buffer";
import * as net from "node:net";
import type { Connection, Transport } from "../types/transport.js";
import { dial } from "./dial.js";
import { explainTls, openTls } from "./tls.js";

/** Detects dead peers on idle connections, ms. */
const KEEP_ALIVE = 10_000;

/** The most bytes that are received at once. */
const LONGEST_CHUNK = 65_536;

type Handler = Parameters<Transport["connect"]>[1];

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
    const onread = intoOneBuffer(handler);
    const open = (host: string) => {
      if (path !== null) return net.connect({ path, onread });
      return tls ? openTls(address, host) : net.connect({ host, port, onread });
    };
    const use = (socket: net.Socket) => take(socket, handler);
    return dial(address, open, tls ? "secureConnect" : "connect", use, signal);
  },
};

/**
 * Receives everything into one buffer: a buffer for each chunk would be most of the garbage of a lock. Whoever gets a chunk
 * copies it before it returns. Of the sockets that share it while a host is dialled, only the one that is used ever reads.
 */
function intoOneBuffer(handler: Handler): net.OnReadOpts {
  // Not filled with zeros, which would make the memory of every page real.
  const buffer = Buffer.allocUnsafeSlow(LONGEST_CHUNK);
  return {
    buffer,
    callback: (length) => {
      handler.data(new Uint8Array(buffer.buffer, 0, length));
      return true;
    },
  };
}

/** Makes a connection of a socket that is open. */
function take(socket: net.Socket, handler: Handler): Connection {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, KEEP_ALIVE);
  let failure: unknown;
  // With TLS, and where the runtime does not know `onread`.
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
