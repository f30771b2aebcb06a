// A Transport of the tests' own: the same TCP bytes, handed over exactly as a test wants them.
import { connect } from "node:net";

/**
 * Dials `port` whatever address is asked for. `deliver(chunk, hand, link)` gets each chunk that arrived and calls `hand(bytes)`
 * for what the package is to see, when it is to see it; link = { received, cut(), write(bytes) }, `received` counts bytes before this chunk.
 */
export function tcpTransport(port, deliver = (chunk, hand) => hand(chunk)) {
  const transport = {
    connections: 0,
    written: 0,
    onDial: () => {},
    onWrite: () => {},
    connect(address, handler, signal) {
      transport.connections += 1;
      transport.onDial(address);
      const socket = connect({ host: "127.0.0.1", port, noDelay: true });
      let closed = false;
      const close = (error) => {
        if (closed) return;
        closed = true;
        socket.destroy();
        handler.close(error);
      };
      const link = { received: 0, cut: () => close(new Error("cut by the test")) };
      const hand = (bytes) => {
        if (!closed && bytes.length > 0) handler.data(bytes);
      };
      return new Promise((resolve, reject) => {
        const abort = () => {
          socket.destroy();
          reject(signal.reason);
        };
        signal?.addEventListener("abort", abort, { once: true });
        socket.once("error", reject);
        socket.once("connect", () => {
          signal?.removeEventListener("abort", abort);
          socket.off("error", reject);
          socket.on("error", close);
          socket.on("close", () => close());
          socket.on("data", (chunk) => {
            deliver(chunk, hand, link);
            link.received += chunk.length;
          });
          resolve({
            write(bytes) {
              transport.written += bytes.length;
              transport.onWrite(bytes);
              socket.write(bytes.slice());
            },
            close() {
              closed = true;
              socket.destroy();
            },
          });
        });
      });
    },
  };
  return transport;
}

/** `deliver` that hands over every byte by itself. */
export function byteByByte(chunk, hand) {
  for (let at = 0; at < chunk.length; at += 1) hand(chunk.slice(at, at + 1));
}

/** `deliver` that splits each connection's stream once, before its byte `offset`. */
export function splitAt(offset) {
  return (chunk, hand, link) => {
    const at = Math.min(Math.max(offset - link.received, 0), chunk.length);
    hand(chunk.slice(0, at));
    hand(chunk.slice(at));
  };
}
