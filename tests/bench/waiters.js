// Some of those who want one lock, in a process of its own: each comes when it is told to, holds for a ms, releases.
import { setTimeout as pause, setImmediate as turn } from "node:timers/promises";
import { input, say } from "../js/support/processes.js";
import { adminClient } from "../js/support/raw-client.js";
import { contenders } from "./contenders.js";

const { name, port, key, orders } = input();
const boss = await adminClient({ host: "127.0.0.1", port });
const { take } = await contenders[name].open([port], true);
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

// A round trip of every kind before it counts.
await (await take(`warm-up:${orders}`))();
say({ ready: true });
const turns = [];
let release;
for (;;) {
  const [, order] = await boss.send("BLPOP", orders, 60);
  if (order === "end") break;
  if (order === "hold") {
    release = await take(key);
    say({ holds: true });
  } else if (order === "let go") {
    await release();
  } else {
    turns.push(wait(Number(order)));
    // Some libraries write a turn later. What is sent behind their first attempt says that it has arrived.
    await turn();
    await turn();
    await boss.send("RPUSH", "arrived", order);
  }
}
say({ turns: await Promise.all(turns) });
process.exit();
