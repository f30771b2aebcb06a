// Connections for the contenders that are built on ioredis.
import { Redis } from "ioredis";

/** How long a command waits for a server that may be silent, in ms. Without it, some peers wait for ever. redlatch waits as long here. */
const PATIENCE = 1_000;

/**
 * One per port, and what closes them. Options as suits the peers best: with many commands in flight, one write per tick is faster;
 * with one, it only costs.
 */
export async function connectIoredis({ ports, lanes, silent }) {
  const connections = ports.map(
    (port) =>
      new Redis({
        host: "127.0.0.1",
        port,
        lazyConnect: true,
        enableAutoPipelining: lanes > 1,
        commandTimeout: silent ? PATIENCE : undefined,
      }),
  );
  await Promise.all(connections.map((connection) => connection.connect()));
  return { connections, close: () => Promise.all(connections.map((connection) => connection.quit())) };
}
