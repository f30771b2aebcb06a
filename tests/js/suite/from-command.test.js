// Other clients that change the commands or the replies that they carry.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { createClient, fromCommand, ServerError } from "../support/redlatch.js";

const redis = await startRedis({ after });

/** Integers become strings, at every depth. */
const inWords = (value) =>
  Array.isArray(value) ? value.map(inWords) : typeof value === "number" ? String(value) : value;

for (const fair of [false, true]) {
  test(`rule 7: a client that returns integers as decimal strings${fair ? ", fair" : ""}`, async (t) => {
    const raw = await redis.connect();
    const transport = fromCommand(async (args) => inWords(await raw.send(...args)));
    const client = openClient(t, undefined, { transport, retry: { min: 5, max: 20 } });
    const key = freshKey();
    const lock = await client.acquire(key, { fair });
    assert.equal(typeof lock.fence, "bigint");
    assert.equal(await lock.verify(), true);
    await lock.extend();
    assert.equal(await client.tryAcquire(key, { fair }), null);
    const waiting = client.acquire(key, { fair, wait: 10_000 });
    assert.equal(await lock.release(), "released");
    assert.ok((await waiting).fence > lock.fence);
    assert.equal(await (await waiting).release(), "released");
  });
}

test("a client with a key prefix of its own: works on one server, and is explained by the error in a cluster", async (t) => {
  const cluster = await startRedis(t, { config: { "cluster-enabled": "yes" } });
  await cluster.send("CLUSTER", "ADDSLOTSRANGE", 0, 16383);
  await until(async () => /cluster_state:ok/.test(await cluster.send("CLUSTER", "INFO")), {
    what: "the cluster",
  });
  const over = async (server, prefix) => {
    const raw = await server.connect();
    return fromCommand(([name, script, count, ...rest]) => {
      const keys = rest.slice(0, Number(count)).map((key) => prefix + key);
      return raw.send(name, script, count, ...keys, ...rest.slice(Number(count)));
    });
  };
  const key = freshKey();
  for (const [server, prefix] of [
    [redis, "app:"],
    [cluster, ""],
  ]) {
    const lock = await openClient(t, undefined, { transport: await over(server, prefix) }).acquire(key);
    assert.equal(await server.send("GET", `${prefix}lock:${key}`), lock.token);
    assert.equal(await lock.release(), "released");
  }
  const transport = await over(cluster, "app:");
  const client = createClient({ url: cluster.url, transport });
  t.after(() => client.close({ timeout: 0 }));
  assertLockError(await rejection(client.acquire(key)), {
    type: ServerError,
    code: "LOCK_SERVER",
    prefix: "CROSSSLOT",
    port: cluster.port,
    says: [/key prefix/, /`prefix`/],
  });
});
