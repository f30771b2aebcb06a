// One process of the demo. What it does is in its input; what happens to it goes out as JSON lines.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../js/support/processes.js";
import { adminClient } from "../js/support/raw-client.js";
import { createClient } from "../js/support/redlatch.js";

const { role, signal, port, nodes, ...given } = input();
const redis = await adminClient({ host: "127.0.0.1", port });
const locks = createClient({
  ...(nodes === undefined ? { url: `redis://127.0.0.1:${port}` } : { nodes }),
  wait: 30_000,
  retry: { min: 2, max: 12 },
});

/** Read, sleep, write: what happens in between in other processes is lost, unless there is a lock. */
async function increment(counter, sleep) {
  const value = Number(await redis.send("GET", counter));
  await pause(sleep);
  await redis.send("SET", counter, value + 1);
}

const roles = {
  async count({ counter, rounds, keys, fair }) {
    for (let round = 1; round <= rounds; round += 1) {
      if (keys === undefined) await increment(counter, 2);
      else await locks.using(keys, { fair }, () => increment(counter, 2));
      say({ round });
    }
  },
  async hold({ ttl }) {
    const asked = Date.now();
    const lock = await locks.acquire("inheritance", { ttl });
    say({ holds: true, asked, fence: String(lock.fence) });
    // Never releases: it is here to be killed.
    await pause(60_000);
  },
  async inherit() {
    say({ waits: true });
    const lock = await locks.acquire("inheritance");
    say({ inherits: true, at: Date.now(), fence: String(lock.fence) });
    await lock.release();
  },
  async keep() {
    await locks.using("queue", { fair: true }, async () => {
      say({ holds: true });
      await redis.send("BLPOP", "let go", 30);
    });
  },
  async queue({ place }) {
    await redis.send("BLPOP", `arrive:${place}`, 30);
    await locks.using("queue", { fair: true }, async () => {
      await redis.send("RPUSH", "served", place);
      await pause(20);
    });
  },
  async dine({ meals, forks }) {
    for (let meal = 1; meal <= meals; meal += 1) {
      await locks.using(forks, async () => {
        const users = await Promise.all(forks.map((fork) => redis.send("INCR", `users:${fork}`)));
        if (users.some((count) => count > 1)) await redis.send("INCR", "shared forks");
        await pause(1);
        await Promise.all(forks.map((fork) => redis.send("DECR", `users:${fork}`)));
      });
      say({ meal });
    }
  },
  async stress({ ttl }) {
    while ((await redis.send("EXISTS", "stop")) === 0) {
      const lock = await locks.acquire("outage", { ttl });
      if ((await redis.send("INCR", "inside")) > 1) await redis.send("INCR", "violations");
      await increment("unprotected counter", 1);
      await redis.send("INCR", "entries");
      await redis.send("DECR", "inside");
      await lock.release();
    }
  },
};

say({ ready: true });
await redis.send("BLPOP", signal, 30);
await roles[role](given);
await locks.close();
redis.close();
say({ done: true });
