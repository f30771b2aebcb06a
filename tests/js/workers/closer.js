// Brings a client into some state, closes it, and must then end by itself: nothing here calls process.exit().
import { until } from "../support/conditions.js";
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

const { url, ending } = input();
const client = createClient({ url, connectTimeout: 30_000 });
const states = {
  idle: async () => (await client.acquire("k")).release(),
  held: () => client.acquire("k", { ttl: 60_000 }),
  renewed: () => client.acquire("k", { ttl: 60_000, renew: true, maxHold: 60_000 }),
  waiting: async () => {
    await client.acquire("k");
    client.acquire("k", { wait: Infinity }).catch(() => {});
    await client.tryAcquire("k");
  },
  dialling: async () => {
    client.acquire("k").catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  },
  refused: () => client.tryAcquire("k").catch(() => {}),
  lost: async () => {
    const lock = await client.acquire("k", { ttl: 100 });
    await until(() => lock.signal.aborted);
  },
  aborted: async () => {
    const controller = new AbortController();
    const acquiring = client.acquire("k", { signal: controller.signal });
    controller.abort();
    await acquiring.catch(() => {});
  },
  twice: async () => {
    await client.acquire("k");
    await client.close();
  },
  using: () => client.using("k", { ttl: 1_000 }, () => {}),
};

await states[ending]();
await client.close({ timeout: 500 });
say({ closed: true });
