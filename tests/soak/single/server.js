// A redis-server of its own, which can be killed and started again.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { until } from "../../js/support/conditions.js";
import { lastingPort, startRedis } from "../../js/support/redis.js";

/** Starts a server of `group`, which can be killed and started again on its port, with its data if it keeps them. */
export async function startServer(scope, { group, keeps }) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-soak-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const config = keeps
    ? { appendonly: "yes", appendfsync: "always", "auto-aof-rewrite-min-size": "4mb" }
    : { appendonly: "no" };
  let end;
  async function start() {
    const own = {
      after: (stop) => {
        end = stop;
      },
    };
    const before = server.redis;
    let problem;
    // The port may be somebody else's when it is drawn, and for a moment afterwards.
    await until(
      async () => {
        const port = before?.port ?? lastingPort();
        server.redis = await startRedis(own, { folder, config, port }).catch((error) => {
          problem = error;
          return before;
        });
        return server.redis !== before;
      },
      { within: 60_000, every: 200, what: "the server's start" },
    ).catch((error) => {
      throw new Error(error.message, { cause: problem });
    });
  }
  let last = Promise.resolve();
  const server = {
    group,
    keeps,
    /**
     * Kills it, and starts it again when `absence()` has resolved. One restart after the other, though plans leave some time between
     * them: one that is just being started cannot be killed, and would be there while it is thought to be away.
     */
    restart(absence) {
      last = last.then(async () => {
        await server.redis.stop();
        await absence();
        await start();
      });
      return last;
    },
  };
  await start();
  scope.after(() => end());
  return server;
}
