// Joins the queue of a fair lock whenever it is told to, records its turn on the server, and holds the lock for `hold` ms.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../support/processes.js";
import { adminClient } from "../support/raw-client.js";
import { createClient } from "../support/redlatch.js";

const { port, key, orders, retry, user, hold = 0 } = input();
const [boss, notes] = await Promise.all([
  adminClient({ host: "127.0.0.1", port }),
  adminClient({ host: "127.0.0.1", port }),
]);
const login = user === undefined ? "" : `${user}:pw@`;
const client = createClient({
  url: `redis://${login}127.0.0.1:${port}`,
  ttl: 20_000,
  nodeTimeout: 10_000,
  wait: Infinity,
  retry,
});

async function stand(name, token) {
  const lock = await client.acquire(key, { fair: true, token });
  await notes.send("RPUSH", "served", name);
  await pause(hold);
  if (!lock.held) say({ problem: `${name} was served with nothing left` });
  if ((await lock.release()) !== "released") say({ problem: `${name} could not release` });
}

say({ ready: true });
const turns = [];
for (;;) {
  const [, order] = await boss.send("BLPOP", orders, 60);
  if (order === "go home") break;
  turns.push(stand(...JSON.parse(order)));
}
await Promise.all(turns);
await client.close();
boss.close();
notes.close();
say({ done: true });
