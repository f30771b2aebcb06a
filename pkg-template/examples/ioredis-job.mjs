// A job in a Node.js program that has an ioredis client already: the locks go over its connection.
import { Redis } from "ioredis";
import { createClient, fromCommand } from "redlatch";

const redis = new Redis(process.env.REDIS_URL ?? "redis://127.0.0.1:6379", {
  // A command that was given up must not be sent later, or twice: it might take a lock that no call waits for any more.
  autoResendUnfulfilledCommands: false,
  enableOfflineQueue: false,
});
redis.on("error", (error) => console.error(`redis: ${error.message}`));

const locks = createClient({ transport: fromCommand(([name, ...args]) => redis.call(name, ...args)) });

// Both do nothing if a newer holder was here. Reading stores the fence as well: otherwise an earlier holder could still write
// between our reading and our writing, and we would overwrite its value.
const CLAIM = `
  if tonumber(redis.call('HGET', KEYS[1], 'fence') or 0) > tonumber(ARGV[1]) then return false end
  redis.call('HSET', KEYS[1], 'fence', ARGV[1])
  return redis.call('HGET', KEYS[1], 'value') or '0'`;
const SAVE = `
  if redis.call('HGET', KEYS[1], 'fence') ~= ARGV[1] then return false end
  redis.call('HSET', KEYS[1], 'value', ARGV[2])
  return 1`;
async function guarded(script, ...args) {
  const reply = await redis.eval(script, 1, ...args);
  if (reply === null) throw new Error("a newer holder has been here already");
  return reply;
}

const account = process.argv[2] ?? "42";
await locks.using(`account:${account}`, { ttl: 5_000, wait: 30_000 }, async (lock) => {
  const before = Number(await guarded(CLAIM, `balance:${account}`, String(lock.fence)));
  // Stands for the work. The lock is renewed meanwhile; if it is lost all the same, `lock.signal` aborts.
  await new Promise((resolve) => setTimeout(resolve, 20));
  lock.signal.throwIfAborted();
  await guarded(SAVE, `balance:${account}`, String(lock.fence), String(before + 1));
  console.log(`account ${account}: ${before + 1}`);
});

// The lock client leaves the connection alone: it belongs to the program.
await locks.close();
redis.disconnect();
