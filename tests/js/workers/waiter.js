// Waits for one lock, and says when it is in the queue, when it is served and how it ended.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

const { url, key, retry, hold = 0, ttl = 20_000, fair = true } = input();
const client = createClient({ url, wait: Infinity, retry, ttl, nodeTimeout: 2_000 });
say({ ready: true });
const lock = await client.acquire(key, { fair });
say({ served: true, fence: String(lock.fence) });
await pause(hold);
say({ outcome: await lock.release() });
await client.close();
