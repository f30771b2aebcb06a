import type { Transport } from "../types.js";
import { commandTransport, type Execute } from "./commands.js";

/**
 * Lets a Redis client that the application already has carry the locks' commands: `send` runs one command, and resolves
 * to its reply or rejects with the server's error.
 *
 * The client stays the application's: it has logged in, chosen the database, and is not closed with the lock client. There
 * are no wake-ups over it, so that waiters poll. Commands on one lock wait for each other, for clients that use several
 * connections or HTTP may reorder them. If the client repeats commands after a broken connection, turn that off: a lock
 * that is given up may otherwise be taken later, for as long as its lease.
 *
 * @example
 * fromCommand(([name, ...args]) => ioredis.call(name, ...args))
 * fromCommand((args) => nodeRedis.sendCommand(args))
 */
export function fromCommand(send: (args: (string | Uint8Array)[]) => Promise<unknown>): Transport {
  if (typeof send !== "function") throw new TypeError("fromCommand takes a function that sends one command");
  const execute: Execute = (commands) => commands.map(async (command) => send(command));
  return commandTransport(execute, { secure: true });
}
