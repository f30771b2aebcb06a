// Eats `meals` times with two forks at once, and counts on the server in a way that only exclusion keeps right.
import { input, say } from "../support/processes.js";
import { adminClient } from "../support/raw-client.js";
import { createClient } from "../support/redlatch.js";

const { port, forks, meals } = input();
const raw = await adminClient({ host: "127.0.0.1", port });
const client = createClient({
  url: `redis://127.0.0.1:${port}`,
  ttl: 20_000,
  nodeTimeout: 10_000,
  wait: 60_000,
  retry: { min: 2, max: 20 },
});
const used = (fork) => `used:${fork}`;

say({ ready: true });
await raw.send("BLPOP", "start", 60);
let fence = 0n;
for (let meal = 0; meal < meals; meal += 1) {
  const lock = await client.acquire(forks);
  const before = await Promise.all(forks.map((fork) => raw.send("GET", used(fork))));
  await Promise.all(forks.map((fork, at) => raw.send("SET", used(fork), Number(before[at]) + 1)));
  if (lock.fence <= fence) say({ problem: `fence ${lock.fence} after ${fence}` });
  fence = lock.fence;
  if ((await lock.release()) !== "released") say({ problem: `meal ${meal} was not released` });
}
await client.close();
raw.close();
say({ done: true });
