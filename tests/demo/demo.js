// All four kinds of lock at work in processes of their own, on servers of the demo's own; with the argument `runtimes`, five runtimes
// around one lock. Exit code 1 if anything is not as expected.
import { cluster } from "./cluster.js";
import { counter } from "./counter.js";
import { dim, print, showSummary } from "./display.js";
import { inheritance } from "./inheritance.js";
import { outage } from "./outage.js";
import { philosophers } from "./philosophers.js";
import { queue } from "./queue.js";
import { openStage } from "./stage.js";

async function showKinds(stage) {
  print("This takes about three quarters of a minute.");
  const servers = await Promise.all(Array.from({ length: 5 }, () => stage.startRedis()));
  const ports = servers.map(({ port }) => port).join(", ");
  print(dim(`a redis-server on port ${stage.redis.port}, and five for Redlock on ${ports}`));
  print();
  return [
    ...(await counter(stage, servers)),
    ...(await inheritance(stage)),
    ...(await queue(stage)),
    ...(await philosophers(stage)),
    ...(await outage(stage, servers)),
    ...(await cluster(stage)),
  ];
}

/** Loaded only when it is shown: it needs what `make demo-runtimes` installs. */
const showRuntimes = async (stage) => (await import("./runtimes.js")).runtimes(stage);

const show = process.argv[2] === "runtimes" ? showRuntimes : showKinds;
const stage = await openStage();
try {
  const results = await show(stage);
  showSummary(results);
  if (show === showKinds) {
    print();
    print(
      "Next: `make demo-runtimes` for the same lock on five runtimes, or the quick start in README.md for a program of your own.",
    );
  }
  process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;
} catch (error) {
  print(`the demo failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  await stage.close();
}
