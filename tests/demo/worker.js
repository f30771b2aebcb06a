// One process of the demo. What it does is in its input; what happens to it goes out as JSON lines.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../js/support/processes.js";
import { rawClient } from "../js/support/raw-client.js";
import { createClient } from "../js/support/redlatch.js";

const { role, port, rounds, ttl } = input();
const redis = await rawClient({ host: "127.0.0.1", port });
const locks = createClient({ url: `redis://127.0.0.1:${port}`, wait: 30_000, retry: { min: 2, max: 12 } });

/** Read, sleep, write: what happens in between in other processes is lost, unless there is a lock. */
async function increment(counter) {
  const value = Number(await redis.send("GET", counter));
  await pause(2);
  await redis.send("SET", counter, value + 1);
}

const roles = {
  async without() {
    for (let round = 1; round <= rounds; round += 1) {
      await increment("counter:without");
      say({ round });
    }
  },
  async with() {
    for (let round = 1; round <= rounds; round += 1) {
      await locks.using("counter", () => increment("counter:with"));
      say({ round });
    }
  },
  async holder() {
    const asked = Date.now();
    const lock = await locks.acquire("inheritance", { ttl });
    say({ holds: true, asked, fence: String(lock.fence) });
    // Never releases: it is here to be killed.
    await pause(60_000);
  },
  async heir() {
    say({ waits: true });
    const lock = await locks.acquire("inheritance");
    say({ inherits: true, at: Date.now(), fence: String(lock.fence) });
    await lock.release();
  },
};

say({ ready: true });
await redis.send("BLPOP", `start:${role}`, 30);
await roles[role]();
await locks.close();
redis.close();
say({ done: true });
