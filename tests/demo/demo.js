// All four kinds of lock at work in processes of their own, then five runtimes, on servers of the demo's own. Exit code 1 if anything is not as expected.
import { counter } from "./counter.js";
import { dim, print, showSummary } from "./display.js";
import { inheritance } from "./inheritance.js";
import { line } from "./line.js";
import { outage } from "./outage.js";
import { philosophers } from "./philosophers.js";
import { runtimes } from "./runtimes.js";
import { openStage } from "./stage.js";

async function run(stage) {
  const servers = await Promise.all(Array.from({ length: 5 }, () => stage.startRedis()));
  const ports = servers.map(({ port }) => port).join(", ");
  print(dim(`a redis-server on port ${stage.redis.port}, and five for Redlock on ${ports}`));
  print();
  const results = [
    ...(await counter(stage, servers)),
    ...(await inheritance(stage)),
    ...(await line(stage)),
    ...(await philosophers(stage)),
    ...(await outage(stage, servers)),
    ...(await runtimes(stage)),
  ];
  showSummary(results);
  return results.every(({ ok }) => ok);
}

const stage = await openStage();
try {
  process.exitCode = (await run(stage)) ? 0 : 1;
} catch (error) {
  print(`the demo failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stage.close();
}
