// Eats `meals` times with two forks at once, and counts on the server at `port` in a way that only exclusion keeps right. The
// locks are there too, or in a cluster.
import { input, say } from "../support/processes.js";
import { adminClient } from "../support/raw-client.js";
import { createClient } from "../support/redlatch.js";

const { port, cluster, forks, meals } = input();
const raw = await adminClient({ host: "127.0.0.1", port });
const client = createClient({
  ...(cluster === undefined ? { url: `redis://127.0.0.1:${port}` } : { cluster }),
  ttl: 20_000,
  nodeTimeout: 10_000,
  wait: 60_000,
  retry: { min: 2, max: 20 },
});

/** Counts a use of this fork. Its fences grow, whoever holds it. */
async function use(fork, fence) {
  const [used, last] = await Promise.all([raw.send("GET", `used:${fork}`), raw.send("GET", `fence:${fork}`)]);
  await Promise.all([
    raw.send("SET", `used:${fork}`, Number(used) + 1),
    raw.send("SET", `fence:${fork}`, `${fence}`),
  ]);
  if (fence <= BigInt(last ?? 0)) say({ problem: `fence ${fence} after ${last} for ${fork}` });
}

say({ ready: true });
await raw.send("BLPOP", "start", 60);
for (let meal = 0; meal < meals; meal += 1) {
  const lock = await client.acquire(forks);
  await Promise.all(forks.map((fork) => use(fork, lock.fence)));
  if ((await lock.release()) !== "released") say({ problem: `meal ${meal} was not released` });
}
await client.close();
raw.close();
say({ done: true });
