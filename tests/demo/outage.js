// Scene: a Redlock over five servers, of which two are killed and come back empty, while four processes use it.
import { setTimeout as pause } from "node:timers/promises";
import { bold, print } from "./display.js";
import { result } from "./stage.js";

const PROCESSES = 4;
/** ms: a server that forgot must not vote while a lock that it had granted is held, so it stays away for longer. */
const LEASE = 1_000;

export async function outage({ redis, start, startRedis }, servers) {
  print(
    bold(
      `5. A Redlock over ${servers.length} servers, ${PROCESSES} processes; two servers are killed and come back`,
    ),
  );
  const nodes = servers.map(({ url }) => url);
  const workers = await start(
    "stress",
    Array.from({ length: PROCESSES }, () => ({ nodes, ttl: LEASE })),
  );
  const count = async () => Number(await redis.send("GET", "entries"));
  const phases = [];
  const phase = async (name, ms) => {
    const before = await count();
    await pause(ms);
    const entries = (await count()) - before;
    phases.push(entries);
    print(`  ${name}: the lock was acquired ${entries} times in ${ms / 1_000} s`);
  };
  await phase("five servers up   ", 1_500);
  const doomed = servers.slice(3);
  await Promise.all(doomed.map((server) => server.stop()));
  await phase("two of them killed", LEASE + 1_500);
  for (const { port, folder } of doomed) await startRedis({ port, folder });
  await phase("back, but empty   ", 2_000);
  await redis.send("SET", "stop", 1);
  await Promise.all(workers.map((worker) => worker.said((message) => message.done, 15_000)));
  const [violations, entries, counted] = (
    await redis.send("MGET", "violations", "entries", "unprotected counter")
  ).map(Number);
  print();
  return [
    result(
      "Redlock through the outage",
      "acquired in every phase",
      phases.join(", "),
      phases.every((had) => had > 0),
    ),
    result("Redlock, updates lost", 0, entries - counted, entries === counted),
    result("Redlock, violations", 0, violations, violations === 0),
  ];
}
