import type { Transport } from "../types/types.js";
import { commandTransport } from "./command-transport.js";

/**
 * Lets a Redis client that the application already has carry the locks' commands: `send` runs one command, and resolves
 * to its reply or rejects with the server's error.
 *
 * The client stays the application's: it has logged in, chosen the database, and is not closed with the lock client. There
 * are no wake-ups over it, so that waiters poll. Commands on one lock wait for each other, for clients that use several
 * connections or HTTP may reorder them. A key prefix of the client's own comes before that of the locks.
 *
 * Arguments that are not UTF-8 (in names with lone surrogates) come as bytes, as a Buffer where there is one; all others as
 * strings. TypeScript wants `args as string[]` for most clients.
 *
 * A client that sends commands again after a broken connection, or keeps them until there is one, may take a lock that
 * was given up long ago, for as long as its lease. The settings below turn that off; these clients are tested with them.
 *
 * @example ioredis 5 and 6: `new Redis({ autoResendUnfulfilledCommands: false, enableOfflineQueue: false })`
 * fromCommand(([name, ...args]) => redis.call(name, ...args))
 * @example node-redis 4 to 6: `createClient({ disableOfflineQueue: true })`
 * fromCommand((args) => redis.sendCommand(args))
 * @example Bun: `new RedisClient(url, { enableOfflineQueue: false })`
 * fromCommand(([name, ...args]) => redis.send(name, args))
 * @example Valkey GLIDE, as it comes
 * fromCommand((args) => glide.customCommand(args))
 * @example \@upstash/redis: `new Redis({ url, token, automaticDeserialization: false, retry: false })`; or `fromRest`
 * fromCommand((args) => redis.exec(args))
 */
export function fromCommand(send: (args: (string | Uint8Array)[]) => Promise<unknown>): Transport {
  if (typeof send !== "function") throw new TypeError("fromCommand takes a function that sends one command");
  return commandTransport(() => (commands) => commands.map(async (command) => send(command)), {
    secure: true,
  });
}
