// Takes a lock `rounds` times and, inside, does what only a lock makes safe: read, let others run, write.
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { input, say } from "../support/processes.js";
import { adminClient } from "../support/raw-client.js";
import { createClient } from "../support/redlatch.js";

const { port, key, rounds } = input();
const raw = await adminClient({ host: "127.0.0.1", port });
const client = createClient({
  url: `redis://127.0.0.1:${port}`,
  ttl: 20_000,
  nodeTimeout: 10_000,
  wait: 100_000,
  retry: { min: 1, max: 8 },
});

say({ ready: true });
await raw.send("BLPOP", "start", 60);

for (let round = 0; round < rounds; round += 1) {
  const lock = await client.acquire(key);
  const before = Number(await raw.send("GET", "counter"));
  await turn();
  await raw.send("RPUSH", "holders", `${process.pid} ${lock.fence}`);
  await raw.send("SET", "counter", before + 1);
  if (!lock.held) say({ problem: `round ${round} outlived its lease` });
  const outcome = await lock.release();
  if (outcome !== "released") say({ problem: `round ${round}: release said ${outcome}` });
  // Whoever has just released would win most races for the next turn: all others poll, and it is already here.
  await pause(Math.random() * 12);
}
await client.close();
raw.close();
say({ done: true });
