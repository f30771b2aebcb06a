// A queue of fair waiters, each of which has arrived at the server before the next one acquires.
import { until } from "./conditions.js";
import { queueLength } from "./server-state.js";

/** Starts `join()`, which acquires `key`, and resolves to { promise } when its ticket is in the server's queue. */
export async function joinQueue(server, key, join) {
  const before = await queueLength(server, key);
  const promise = join();
  promise.catch(() => {});
  await until(async () => (await queueLength(server, key)) === before + 1, { every: 1, what: "the ticket" });
  return { promise };
}

/** One waiter per name, in that order; each notes its name in `served` when it is its turn, and releases at once. */
export async function queueUp(server, key, names, acquire, served) {
  const turns = [];
  for (const name of names) {
    const { promise } = await joinQueue(server, key, () => acquire(name));
    turns.push(
      promise.then(async (lock) => {
        served.push(name);
        await lock.release();
      }),
    );
    turns.at(-1).catch(() => {});
  }
  return turns;
}
