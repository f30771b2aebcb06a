// A process with some of one lock's waiters: each acquires when it is told to, holds the lock for a ms, and releases it.
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { input, say } from "../../js/support/processes.js";
import { adminClient } from "../../js/support/raw-client.js";
import { open } from "../contenders/index.js";

const { name, port, key, orders } = input();
const boss = await adminClient({ host: "127.0.0.1", port });
const { take } = await open(name, { ports: [port], lanes: 2 });
// A process's clock: the same for all processes of the machine.
const now = () => Number(process.hrtime.bigint() / 1_000n) / 1_000;

async function wait(place) {
  const release = await take(key);
  const taken = now();
  await pause(1);
  const left = now();
  await release();
  return { place, taken, left };
}

// To warm up: a round trip of every kind before it counts.
await (await take(`warm-up:${orders}`))();
say({ ready: true });
let turns = [];
let release;
for (;;) {
  const [, order] = await boss.send("BLPOP", orders, 120);
  if (order === "hold") {
    release = await take(key);
    await boss.send("RPUSH", "reports", "holds");
  } else if (order === "let go") {
    await release();
  } else if (order === "report") {
    await boss.send("RPUSH", "reports", JSON.stringify(await Promise.all(turns)));
    turns = [];
  } else {
    turns.push(wait(Number(order)));
    // Some libraries write a turn of the event loop later. The reply to a command sent after their first attempt shows that the
    // attempt has arrived.
    await turn();
    await turn();
    await boss.send("RPUSH", "arrived", order);
  }
}
