import * as net from "node:net";
import type { Address, Transport } from "../types/types.js";
import { explainTls, openTls } from "./tls.js";

/** Detects dead peers on idle connections, ms. */
const KEEP_ALIVE = 10_000;

/**
 * Node.js's own sockets: tcp, TLS with verification, and unix sockets. Bun uses them too: its own Bun.connect saves some
 * time for single commands and little for many, but may write only part of a chunk, and some releases of Bun keep talking
 * to a server whose certificate is not trusted.
 */
export const nodeTransport: Transport = {
  connect(address, handler, signal) {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const socket = open(address);
      let failure: unknown;
      const abort = () => {
        reject(signal.reason);
        socket.destroy();
      };
      signal.addEventListener("abort", abort, { once: true });

      socket.on(address.tls ? "secureConnect" : "connect", () => {
        socket.setNoDelay(true);
        socket.setKeepAlive(true, KEEP_ALIVE);
        resolve({
          write: (bytes) => void socket.write(bytes),
          close: () => void socket.destroy(),
          ref: () => void socket.ref(),
          unref: () => void socket.unref(),
        });
      });
      socket.on("data", (chunk) => handler.data(chunk));
      // "close" follows every "error", so one place reports the end.
      socket.on("error", (error) => {
        failure = explainTls(error);
      });
      socket.on("close", () => {
        signal.removeEventListener("abort", abort);
        // Before the connection is up, only the first of these two has an effect; afterwards, only the second.
        reject(failure ?? new Error("the connection was closed before it was established"));
        handler.close(failure);
      });
    });
  },
};

function open(address: Address): net.Socket {
  const { host, port, path } = address;
  if (path !== null) return net.connect({ path });
  return address.tls ? openTls(address) : net.connect({ host, port });
}
