import type { Transport } from "../types/transport.js";
import type { Command } from "./command.js";
import { commandTransport } from "./command-transport.js";

/**
 * Sends the locks' commands through a Redis client that the application already has: `send` runs one command, and resolves
 * to its reply or rejects with the server's error.
 *
 * The client remains the application's: it logs in and chooses the database, and closing the lock client does not close it.
 * It carries no wake-ups, so waiters poll. Commands on one lock wait for each other, because clients with several
 * connections, or over HTTP, may reorder them. If the client has a key prefix of its own, that comes before the locks' prefix.
 * In a cluster it must have none, because it would move keys out of their lock's slot (CROSSSLOT): set the lock client's
 * `prefix` instead.
 *
 * Arguments that are not UTF-8 (from keys with lone surrogates) are passed as bytes, as a Buffer where there is one; all
 * others as strings. The type says strings, because that is what the clients' own types accept; all of them accept bytes too.
 *
 * A client that resends commands after a connection broke, or queues them until there is one, may take a lock whose acquire
 * was abandoned long ago, and keep it for a whole lease. The settings below turn that off; these clients are tested with them.
 *
 * @example ioredis 5 and 6: `new Redis({ autoResendUnfulfilledCommands: false, enableOfflineQueue: false })`
 * fromCommand(([name, ...args]) => redis.call(name, ...args))
 * @example node-redis 4 to 6: `createClient({ disableOfflineQueue: true })`
 * fromCommand((args) => redis.sendCommand(args))
 * @example Bun: `new RedisClient(url, { enableOfflineQueue: false })`
 * fromCommand(([name, ...args]) => redis.send(name, args))
 * @example Valkey GLIDE, with its default settings
 * fromCommand((args) => glide.customCommand(args))
 * @example \@upstash/redis: `new Redis({ url, token, automaticDeserialization: false, retry: false })`; or `fromRest`
 * fromCommand((args) => redis.exec(args))
 *
 * Clients of a cluster find a command's node by its first key, which is the fourth of its arguments. All keys of one lock must
 * be in one slot.
 *
 * @example ioredis: `new Cluster(nodes, { enableOfflineQueue: false, retryDelayOnFailover: 0, redisOptions: { autoResendUnfulfilledCommands: false } })`
 * fromCommand(([name, ...args]) => cluster.call(name, ...args))
 * @example node-redis: `createCluster({ rootNodes, defaults: { disableOfflineQueue: true } })`
 * fromCommand((args) => cluster.sendCommand(args[3], false, args))
 * @example Valkey GLIDE: `GlideClusterClient.createClient({ addresses, requestTimeout: 3_000 })`
 * fromCommand((args) => glide.customCommand(args))
 */
export function fromCommand(send: (args: [string, ...string[]]) => Promise<unknown>): Transport {
  if (typeof send !== "function")
    throw new TypeError("fromCommand: expected a function that sends one command");
  const run = async (command: Command) => send(command as [string, ...string[]]);
  return commandTransport(() => (commands) => commands.map(run), { secure: true, independent: true });
}
