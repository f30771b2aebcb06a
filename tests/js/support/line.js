// A line of fair waiters, each of which has arrived at the server before the next one asks.
import { until } from "./conditions.js";
import { inLine } from "./server-state.js";

/** Starts `join()`, which asks for `key`, and resolves when its ticket is in the server's queue: { promise }. */
export async function standInLine(server, key, join) {
  const before = await inLine(server, key);
  const promise = join();
  promise.catch(() => {});
  await until(async () => (await inLine(server, key)) === before + 1, { every: 1, what: "the ticket" });
  return { promise };
}

/** One waiter per name, in that order; each notes its name in `served` when it is its turn, and releases at once. */
export async function lineUp(server, key, names, acquire, served) {
  const turns = [];
  for (const name of names) {
    const { promise } = await standInLine(server, key, () => acquire(name));
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
