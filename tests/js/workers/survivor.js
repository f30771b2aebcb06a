// Does one thing with a client, never closes it, and has nothing else to do: only the client can keep the process alive.
import { until } from "../support/conditions.js";
import { input, say } from "../support/processes.js";
import { createClient, fromRest } from "../support/redlatch.js";

const { url, rest, task, ttl = 60_000 } = input();
const client = createClient({ ...(rest ? { transport: fromRest(rest) } : { url }), nodeTimeout: 1_000, ttl });
const aborted = ({ signal }) =>
  new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason), { once: true }));

const tasks = {
  // What leaves nothing owed.
  using: () => client.using("k", () => {}),
  denied: async () => {
    await client.acquire("k");
    await client.tryAcquire("k");
  },
  held: () => client.acquire("k"),
  "timed out": async () => {
    await client.acquire("k");
    await client.acquire("k", { wait: 50 }).catch(() => {});
  },
  aborted: async () => {
    await client.acquire("k");
    await client.acquire("k", { signal: AbortSignal.timeout(50) }).catch(() => {});
  },
  "renewed and released": async () => (await client.acquire("k", { renew: true })).release(),
  asked: async () => {
    const lock = await client.acquire("k");
    await lock.extend();
    await lock.verify();
  },
  "watched and released": async () => {
    const lock = await client.acquire("k");
    void lock.signal;
    await lock.release();
  },
  // What is owed.
  renewed: () => client.acquire("k", { renew: true }),
  watched: async () => {
    const lock = await client.acquire("k", { ttl: 1_000 });
    lock.signal.addEventListener("abort", () => say({ lost: lock.signal.reason.code }));
  },
  waiting: async () => {
    client.acquire("k", { wait: 60_000 }).then((lock) => say({ fence: String(lock.fence) }));
    await until(() => client.inspect().counters.contended === 1);
  },
  leader: () => {
    const leading = client.using("k", async (lock) => {
      say({ leading: true });
      const { code } = await aborted(lock);
      say({ lost: code });
    });
    // That it was lost may be its outcome, too.
    return leading.catch(() => {});
  },
};

await tasks[task]();
say({ done: true });
