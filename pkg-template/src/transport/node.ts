import * as net from "node:net";
import * as tls from "node:tls";
import type { Address, Transport } from "../types.js";

/** Finds out dead peers on idle connections, ms. */
const KEEP_ALIVE = 10_000;

/** Node.js's own sockets: tcp, TLS with verification, and unix sockets. */
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
        });
      });
      socket.on("data", (chunk) => handler.data(chunk));
      // "close" follows every "error", so that one place says that it is over.
      socket.on("error", (error) => {
        failure = error;
      });
      socket.on("close", () => {
        signal.removeEventListener("abort", abort);
        // The first of the two is without effect once the connection was up, the second before.
        reject(failure ?? new Error("the connection was closed before it was up"));
        handler.close(failure);
      });
    });
  },
};

function open({ host, port, tls: secure, path }: Address): net.Socket {
  if (path !== null) return net.connect({ path });
  if (!secure) return net.connect({ host, port });
  // An IP address is verified as such; as a server name it is not allowed.
  return tls.connect({ host, port, ...(net.isIP(host) === 0 && { servername: host }) });
}
