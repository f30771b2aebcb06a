// A node of a cluster redirects commands for keys that it does not have. The error passes the redirect on; the client does
// not follow it.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError, everythingShown } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { startRedis } from "../support/redis.js";
import { ServerError } from "../support/redlatch.js";

const redis = await startRedis({ after }, { password: "canary-password" });

for (const prefix of ["MOVED", "ASK"]) {
  for (const target of [undefined, ":6379", "__proto__:70000", "127.0.0.1:-1"]) {
    test(`${prefix} to ${target ?? "a server that listens"}: a ServerError, at once, and no connection to there`, async (t) => {
      const elsewhere = await startFakeServer(t, () => "+OK\r\n");
      const redirect = `-${prefix} 3999 ${target ?? `127.0.0.1:${elsewhere.port}`}\r\n`;
      const isScript = (name) => name === "EVALSHA" || name === "EVAL";
      const node = await startFakeServer(
        t,
        await forwardingTo(redis, ([name]) => (isScript(name) ? redirect : undefined)),
      );
      const client = openClient(t, `redis://:canary-password@127.0.0.1:${node.port}`);
      const error = await rejection(client.acquire(freshKey(), { wait: 60_000 }));
      assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix, port: node.port });
      assert.doesNotMatch(everythingShown(error), /canary/);
      assert.equal(elsewhere.connections, 0);
      assert.equal(node.commands.filter(([name]) => isScript(name)).length, 1, "asked once");
    });
  }
}
