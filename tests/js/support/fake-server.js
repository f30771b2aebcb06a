// A server that answers what a test says, to reach what a healthy redis-server never sends.
import { createServer } from "node:net";
import { decodeFrame, frameSplitter } from "./frames.js";

/**
 * `answer(args, connection)` returns the reply's bytes (string or Buffer), null for silence, or a promise of either;
 * args[0] is upper case. `connection` has { index, send(bytes), cut() }. Replies keep the order of the commands.
 */
export async function startFakeServer(scope, answer) {
  const sockets = new Set();
  const fake = { connections: 0, commands: [] };
  const server = createServer((socket) => {
    const connection = {
      index: fake.connections,
      send: (bytes) => socket.write(bytes),
      cut: () => socket.destroy(),
    };
    fake.connections += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("close", () => sockets.delete(socket));
    let turn = Promise.resolve();
    socket.on(
      "data",
      frameSplitter((frame) => {
        const args = decodeFrame(frame);
        args[0] = args[0].toUpperCase();
        fake.commands.push(args);
        turn = turn.then(async () => {
          const reply = await answer(args, connection);
          if (reply !== null && !socket.destroyed) socket.write(reply);
        });
      }),
    );
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  fake.port = server.address().port;
  fake.url = `redis://127.0.0.1:${fake.port}`;
  scope.after(
    () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(resolve);
      }),
  );
  return fake;
}

/** An `answer` that lets a real server answer; `except(args)` may return bytes of its own instead, or null for silence. */
export async function forwardingTo(redis, except = () => undefined) {
  const byConnection = new Map();
  return async (args, connection) => {
    const own = except(args, connection);
    if (own !== undefined) return own;
    // A connection per connection, because HELLO, AUTH and SELECT change its state.
    if (!byConnection.has(connection.index)) byConnection.set(connection.index, await redis.dial());
    return byConnection.get(connection.index).sendFrame(args);
  };
}
