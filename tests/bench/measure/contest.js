// One lock and many waiters: how soon it is handed on, in what order, and what that costs the server.
import { setTimeout as pause } from "node:timers/promises";
import { startWorker } from "../js/support/processes.js";
import { adminClient } from "../js/support/raw-client.js";
import { callsOf } from "../js/support/server-state.js";
import { contenders } from "./contenders.js";

const PROCESSES = 4;
const script = new URL("waiters.js", import.meta.url);

/** { gaps (ms), commands per acquire, overtakings } of one contest for a lock among `waiters`. */
export async function contest(scope, redis, name, waiters) {
  await redis.send("FLUSHALL");
  const key = "bench:contended";
  const port = redis.port;
  const start = (orders) => startWorker(scope, script, { name, port, key, orders });
  const lists = Array.from({ length: PROCESSES }, (_, at) => `orders:${at}`);
  const holder = start("orders:holder");
  const workers = lists.map(start);
  await Promise.all([holder, ...workers].map((worker) => worker.said((message) => message.ready, 20_000)));
  const boss = await adminClient({ host: "127.0.0.1", port });
  await boss.send("RPUSH", "orders:holder", "hold");
  await holder.said((message) => message.holds);

  await redis.send("CONFIG", "RESETSTAT");
  for (let place = 0; place < waiters; place += 1) {
    await boss.send("RPUSH", lists[place % PROCESSES], place);
    await boss.send("BLPOP", "arrived", 10);
  }
  await pause(50);
  await boss.send("RPUSH", "orders:holder", "let go", "end");
  for (const list of lists) await boss.send("RPUSH", list, "end");
  const said = await Promise.all(workers.map((worker) => worker.said((message) => message.turns, 120_000)));
  const commands = await callsOf(redis, "evalsha", "eval", ...(contenders[name].commands ?? []));
  await Promise.all([holder, ...workers].map((worker) => worker.exit));
  boss.close();

  const turns = said.flatMap((message) => message.turns).sort((a, b) => a.taken - b.taken);
  return {
    gaps: turns.slice(1).map(({ taken }, at) => taken - turns[at].left),
    perAcquire: commands / waiters,
    overtakings: turns.slice(1).filter(({ place }, at) => place < turns[at].place).length,
    exclusive: turns.slice(1).every(({ taken }, at) => taken >= turns[at].left),
  };
}
