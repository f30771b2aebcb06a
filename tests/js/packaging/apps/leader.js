// One of several processes that elect a leader; it says when it leads, and ends when it does so no longer.
import { createClient } from "redlatch";

const [, , name, url] = process.argv;
const locks = createClient({ url, ttl: 1_500 });

locks.using("leader", { wait: Number.POSITIVE_INFINITY }, async (lock) => {
  console.log(JSON.stringify({ leads: name, fence: String(lock.fence) }));
  await new Promise((resolve) => lock.signal.addEventListener("abort", resolve, { once: true }));
});
