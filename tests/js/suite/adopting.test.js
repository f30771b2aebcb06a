// A lock handed over to another process: toJSON() there, adopt() here.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockLostError } from "../support/redlatch.js";
import { tokenOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const servers = [redis, await startRedis({ after }), await startRedis({ after })];
const script = new URL("../workers/heir.js", import.meta.url);
const owner = (key) => tokenOf(redis, key);
const wire = (lock) => JSON.parse(JSON.stringify(lock));

for (const fair of [false, true]) {
  test(`another process adopts, verifies, extends and releases (fair: ${fair})`, async (t) => {
    const [a, b] = [freshKey(), freshKey()];
    const lock = await openClient(t, redis).acquire([a, b], { ttl: 20_000, fair });
    const handle = wire(lock);
    assert.deepEqual(Object.keys(handle).sort(), ["fair", "fence", "keys", "token", "ttl"]);
    const heir = startWorker(t, script, { url: redis.url, handle, verbs: ["verify", "extend", "release"] });
    await heir.said(({ done }) => done);
    const [adopted, ...answers] = heir.messages;
    assert.equal(adopted.adopted, true, JSON.stringify(heir.messages));
    assert.equal(adopted.fence, String(lock.fence));
    assert.deepEqual(adopted.keys, [a, b]);
    assert.ok(adopted.remaining > 15_000 && adopted.remaining < 20_000);
    assert.deepEqual(
      answers.slice(0, 3).map(({ answer }) => answer),
      [true, null, "released"],
    );
    assert.equal(await owner(a), null);
    assert.equal(await owner(b), null);
    assert.equal(await lock.verify(), false);
    assert.equal(lock.held, false);
  });
}

/** By what the first client does: how long it has the lock, and how that ends. */
const ends = {
  release: [20_000, async (lock) => assert.equal(await lock.release(), "expired")],
  loss: [2_000, (lock) => until(() => !lock.held)],
  close: [20_000, (_, client) => client.close()],
};
for (const [how, [ttl, end]] of Object.entries(ends)) {
  test(`an adopted lock outlives the release, the loss and the end of its first client (${how})`, async (t) => {
    const outlive = async (options) => {
      const key = freshKey();
      const client = openClient(t, redis);
      const first = await client.acquire(key, { ttl, ...options });
      const adopted = await openClient(t, redis).adopt(wire(first), { ttl: 20_000 });
      await end(first, client);
      // After whatever was sent to end it.
      assert.equal(await adopted.verify(), true);
      assert.equal(await openClient(t, redis).tryAcquire(key), null);
      await client.close();
      assert.equal(await adopted.verify(), true);
      assert.equal(await adopted.release(), "released");
      assert.equal(await owner(key), null);
    };
    await Promise.all([{}, { fair: true }, { token: "mine" }].map(outlive));
  });
}

test("rule 4: an adopted lock is no longer that of its first client, which learns so from its next question", async (t) => {
  for (const verb of ["extend", "verify"]) {
    for (const options of [{}, { fair: true }, { token: "mine" }]) {
      const key = freshKey();
      const first = await openClient(t, redis).acquire(key, { ttl: 20_000, ...options });
      const adopted = await openClient(t, redis).adopt(wire(first));
      assert.equal(first.held, true, "nobody has told it yet");
      if (verb === "verify") assert.equal(await first.verify(), false);
      else assert.ok((await rejection(first.extend(60_000))) instanceof LockLostError);
      assert.equal(first.held, false);
      assert.match(first.signal.reason.message, NOT_OURS);
      assert.ok(adopted.remaining > 15_000);
      assert.equal(await adopted.verify(), true);
      assert.ok((await redis.send("PTTL", `lock:${key}`)) < 30_000, "extended by the adopter alone");
      assert.equal(await adopted.release(), "released");
    }
  }
});

test("adopted after its first process was killed: the lease goes on, and nobody came between", async (t) => {
  const key = freshKey();
  const first = startWorker(t, new URL("../workers/waiter.js", import.meta.url), {
    url: redis.url,
    key,
    ttl: 3_000,
    hold: 60_000,
  });
  await first.said(({ served }) => served);
  const handle = { keys: [key], token: await owner(key), fair: true, fence: null, ttl: 3_000 };
  handle.fence = first.messages.find(({ served }) => served).fence;
  first.signal("SIGKILL");
  await first.exit;
  const lock = await openClient(t, redis).adopt(handle, { renew: true });
  assert.equal(String(lock.fence), handle.fence);
  // Longer than a lease.
  const end = performance.now() + 3_500;
  await until(async () => {
    assert.equal(lock.held, true);
    assert.equal(await owner(key), handle.token);
    return performance.now() > end;
  });
  assert.equal(await lock.release(), "released");
});

test("a lock on several servers is adopted too", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, servers).acquire(key, { ttl: 20_000 });
  // A majority is enough for a grant; none of the others' is to come after the release.
  for (const server of servers) {
    await until(async () => (await server.send("EXISTS", `lock:${key}`)) === 1, {
      what: "every server's grant",
    });
  }
  const heir = startWorker(t, script, {
    nodes: servers.map(({ url }) => url),
    handle: wire(lock),
    verbs: ["verify", "release"],
  });
  await heir.said(({ done }) => done);
  assert.equal(heir.messages[0].fence, "null", JSON.stringify(heir.messages));
  assert.deepEqual(
    heir.messages.slice(1, 3).map(({ answer }) => answer),
    [true, "released"],
  );
  for (const server of servers) {
    await until(async () => (await server.send("EXISTS", `lock:${key}`)) === 0, { what: "a free key" });
  }
});

test("rule 3: a server that heard of no adoption frees its key at the adopter's release too", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: servers[2].port });
  const key = freshKey();
  const lock = await openClient(t, servers).acquire(key, { ttl: 20_000 });
  const taken = () => Promise.all(servers.map((server) => server.send("EXISTS", `lock:${key}`)));
  await until(async () => (await taken()).join("") === "111", { what: "every server's grant" });
  proxy.hold = true;
  const client = openClient(t, [servers[0], servers[1], proxy]);
  const adopted = await client.adopt(wire(lock));
  const releasing = adopted.release();
  proxy.hold = false;
  assert.equal(await releasing, "released");
  await until(async () => (await taken()).join("") === "000", { what: "free keys" });
});

test("rule 4: a handle of a lock that is gone, or another's: LockLostError, and nothing is taken", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const lock = await client.acquire(key, { ttl: 5_000 });
  const handle = wire(lock);
  await lock.release();
  assert.ok((await rejection(openClient(t, redis).adopt(handle))) instanceof LockLostError);
  assert.equal(await owner(key), null);

  const next = await client.acquire(key, { ttl: 5_000 });
  assert.ok((await rejection(openClient(t, redis).adopt(handle))) instanceof LockLostError);
  assert.equal(await owner(key), next.token);
  assert.equal(await next.verify(), true);
  await next.release();
});

test("adopting extends to the handle's ttl, or the one given, and never shortens", async (t) => {
  const key = freshKey();
  const lock = await openClient(t, redis).acquire(key, { ttl: 5_000 });
  const heir = await openClient(t, redis).adopt(wire(lock), { ttl: 20_000 });
  assert.ok(heir.remaining > 15_000);
  assert.ok((await redis.send("PTTL", `lock:${key}`)) > 15_000);
  await openClient(t, redis).adopt(wire(lock), { ttl: 1_000 });
  assert.ok((await redis.send("PTTL", `lock:${key}`)) > 15_000);
  await heir.release();
});

test("a bad handle is a TypeError or RangeError, before a byte is sent", async (t) => {
  const client = openClient(t, "redis://127.0.0.1:1", { wait: 0 });
  const good = { keys: ["a"], token: "t", fair: false, fence: "5", ttl: 1_000 };
  const bad = [
    undefined,
    null,
    "a string",
    JSON.stringify(good),
    {},
    { ...good, keys: [] },
    { ...good, keys: [""] },
    { ...good, keys: "a" },
    { ...good, keys: [5] },
    { ...good, token: "" },
    { ...good, token: 5 },
    { ...good, token: undefined },
    { ...good, fair: "no" },
    { ...good, fence: "-1" },
    { ...good, fence: "1.5" },
    { ...good, fence: 5 },
    { ...good, ttl: 99 },
    { ...good, ttl: "5s" },
    { ...good, ttl: Number.NaN },
  ];
  for (const handle of bad) {
    const error = await rejection(client.adopt(handle));
    const shown = `${JSON.stringify(handle)}: ${error}`;
    assert.ok(error instanceof TypeError || error instanceof RangeError, shown);
    assert.ok(error.message.length > 20, shown);
  }
  for (const options of [{ token: "other" }, { ttl: 5 }, { nonsense: 1 }]) {
    const error = await rejection(client.adopt(good, options));
    assert.ok(error instanceof TypeError || error instanceof RangeError, String(error));
  }
});
