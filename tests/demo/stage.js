// What the scenes of the demo use: servers and processes, and how both end.
import { startWorker } from "../js/support/processes.js";
import { startRedis } from "../js/support/redis.js";

const script = new URL("worker.js", import.meta.url);

/** Servers and processes that all end with `close()`. */
export async function openStage() {
  const cleanUps = [];
  const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };
  const redis = await startRedis(scope);
  let starts = 0;
  return {
    /** What ends with the stage, as support/ wants it. */
    scope,
    /** The server that all scenes share. */
    redis,
    /** Another server. */
    startRedis: (options) => startRedis(scope, options),
    /** Starts a worker process for each of `inputs`, in one role, and lets all go at the same moment. */
    async start(role, inputs) {
      starts += 1;
      const signal = `start:${starts}`;
      const workers = inputs.map((input) =>
        startWorker(scope, script, { role, signal, port: redis.port, ...input }),
      );
      await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 15_000)));
      await redis.send("RPUSH", signal, ...inputs.map(() => "go"));
      return workers;
    },
    async close() {
      for (const cleanUp of cleanUps) await cleanUp();
    },
  };
}

/** A result of a scene, for the closing table. */
export const result = (what, expected, seen, ok) => ({
  what,
  expected: String(expected),
  seen: String(seen),
  ok,
});
