// A reply belongs to the command it answers; whatever goes wrong with replies, nothing is granted wrongly.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { LockError } from "../support/redlatch.js";
import { tcpTransport } from "../support/transport.js";

const redis = await startRedis({ after });
const TTL = 30_000;
const target = { host: "127.0.0.1", port: redis.port };
const patient = { nodeTimeout: 300, retry: { min: 5, max: 30 } };

const gone = (...keys) =>
  until(async () => (await redis.send("EXISTS", ...keys.map((key) => `lock:${key}`))) === 0, {
    within: 3_000,
    what: "the clean-up",
  });

/** One lock that is free and one that is taken, asked for together: what is granted must be true in Redis. */
async function truth(client, taken) {
  const free = freshKey("free");
  const results = await settles(
    Promise.allSettled([
      client.tryAcquire(free, { ttl: TTL }),
      client.tryAcquire(taken, { ttl: TTL }),
      client.acquire(`${free}-2`, { ttl: TTL, wait: 2_000 }),
    ]),
    8_000,
    "three acquires",
  );
  for (const { status, value, reason } of results) {
    if (status === "rejected") assert.ok(reason instanceof LockError, String(reason));
    else if (value !== null) {
      assert.notEqual(value.keys[0], taken, "a lock that another holds was granted");
      if (value.held)
        assert.equal(
          await redis.send("GET", `lock:${value.keys[0]}`),
          value.token,
          "granted, but not true in Redis",
        );
    }
  }
  await Promise.all(results.map(({ value }) => value?.release()));
  await gone(free, `${free}-2`);
}

async function takenKey(t) {
  const key = freshKey("taken");
  await openClient(t, redis).acquire(key, { ttl: 60_000 });
  return key;
}

const damages = {
  duplicated: (frame) => [frame, frame],
  dropped: () => [],
  "preceded by a foreign reply": (frame) => [Buffer.from("+OK\r\n"), frame],
  "replaced by a foreign array": () => [Buffer.from("*3\r\n:1\r\n$2\r\nok\r\n:77\r\n")],
  "replaced by null": () => [Buffer.from("$-1\r\n")],
  "replaced by a number": () => [Buffer.from(":1\r\n")],
};
for (const [name, damage] of Object.entries(damages)) {
  test(`rule 7: each reply in turn ${name}`, { timeout: 60_000 }, async (t) => {
    const taken = await takenKey(t);
    await Promise.all(
      Array.from({ length: 8 }, async (_, index) => {
        const proxy = await startProxy(t, target);
        let damaged = false;
        proxy.onFrame = (frame, at) => {
          if (damaged || at !== index) return [frame];
          damaged = true;
          return damage(frame);
        };
        const client = openClient(t, proxy, patient);
        await truth(client, taken);
        await truth(client, taken);
        assert.equal(damaged, true);
        const lock = await client.acquire(freshKey(), { wait: 5_000 });
        assert.equal(lock.held, true, "the client has recovered");
        await lock.release();
        await client.close();
      }),
    );
  });
}

test("rule 7: the grant of one lock, replayed as the answer for another, grants nothing", async (t) => {
  const taken = await takenKey(t);
  const proxy = await startProxy(t, target);
  const client = openClient(t, proxy, patient);
  let grant = null;
  await (await client.acquire(freshKey())).release();
  proxy.onFrame = (frame) => {
    grant ??= frame;
    return [frame];
  };
  const lock = await client.acquire(freshKey());
  assert.notEqual(grant, null);
  proxy.onFrame = () => [grant];
  const [result] = await Promise.allSettled([client.tryAcquire(taken)]);
  proxy.onFrame = null;
  assert.ok(result.value === null || result.reason instanceof LockError, "the replayed grant was believed");
  assert.ok(lock.held, "the other lock is not hurt");
  assert.equal(await settles(lock.release(), 3_000), "released");
  assert.ok(proxy.connections >= 2, "the connection was burned");
});

test("rule 7: two replies in the wrong order", async (t) => {
  const taken = await takenKey(t);
  for (let round = 0; round < 10; round += 1) {
    const proxy = await startProxy(t, target);
    const client = openClient(t, proxy, patient);
    await (await client.acquire(freshKey())).release();
    let kept = null;
    proxy.onFrame = (frame) => {
      if (kept === null) {
        kept = frame;
        return [];
      }
      const both = [frame, kept];
      proxy.onFrame = null;
      return both;
    };
    await truth(client, taken);
    await client.close();
  }
});

test("rule 7: bytes that nobody asked for", async (t) => {
  const taken = await takenKey(t);
  for (const bytes of [
    "+OK\r\n",
    ":1\r\n",
    "-ERR out of the blue\r\n",
    "$-1\r\n",
    "*0\r\n",
    "garbage\r\n",
    "\0\0\0\0",
    "HTTP/1.1 400 Bad Request\r\n\r\n",
  ]) {
    const proxy = await startProxy(t, target);
    const client = openClient(t, proxy, patient);
    await (await client.acquire(freshKey())).release();
    proxy.inject(bytes);
    await truth(client, taken);
    const lock = await client.acquire(freshKey(), { wait: 5_000 });
    await lock.release();
    await client.close();
  }
});

test("rule 7: a RESP3 push in between is not an answer", async (t) => {
  const proxy = await startProxy(t, target);
  const client = openClient(t, proxy, patient);
  await (await client.acquire(freshKey())).release();
  proxy.onFrame = (frame) => [Buffer.from(">2\r\n+invalidate\r\n*1\r\n$3\r\nabc\r\n"), frame];
  const lock = await client.acquire(freshKey(), { wait: 0 });
  assert.equal(await lock.release(), "released");
  assert.equal(proxy.connections, 1);
});

test("rule 3: a grant that arrives late is released when it lands", async (t) => {
  const proxy = await startProxy(t, target);
  const client = openClient(t, proxy, { nodeTimeout: 1_000 });
  await (await client.acquire(freshKey())).release();
  const key = freshKey();
  proxy.hold = true;
  const acquiring = client.acquire(key, { ttl: TTL, wait: 200 });
  const [result] = await settles(Promise.allSettled([acquiring]), 3_000);
  assert.ok(result.reason instanceof LockError, "no answer is not a no");
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 1, "the server had granted it");
  proxy.hold = false;
  await gone(key);
  const again = await client.acquire(key, { wait: 3_000 });
  assert.equal(await again.release(), "released");
});

test("a release whose reply was lost still frees the key", async (t) => {
  const key = freshKey();
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const lock = await openClient(t, proxy, { nodeTimeout: 200 }).acquire(key, { ttl: 30_000 });
  proxy.hold = true;
  const outcome = lock.release();
  await until(() => proxy.held > 0, { what: "the reply to the release" });
  proxy.cut();
  proxy.hold = false;
  assert.ok(["released", "unknown", "expired"].includes(await settles(outcome, 3_000)));
  assert.equal(await redis.send("EXISTS", `lock:${key}`), 0);
});

test("rule 7: the connection cut after every byte of the replies", { timeout: 90_000 }, async (t) => {
  let length = 0;
  const measuring = tcpTransport(redis.port, (chunk, hand) => {
    length += chunk.length;
    hand(chunk);
  });
  const probe = openClient(t, redis, { transport: measuring });
  const lock = await probe.acquire(freshKey());
  await lock.extend();
  await lock.release();

  const taken = await takenKey(t);
  const cutAfter = async (count) => {
    const transport = tcpTransport(redis.port, (chunk, hand, link) => {
      if (transport.connections > 1) return hand(chunk);
      const left = count - link.received;
      hand(chunk.slice(0, Math.max(left, 0)));
      if (left <= chunk.length) link.cut();
    });
    const client = openClient(t, redis, { ...patient, transport });
    const key = freshKey("cut");
    const [acquired] = await settles(
      Promise.allSettled([client.acquire(key, { ttl: TTL, wait: 4_000 })]),
      8_000,
      "the acquire",
    );
    if (acquired.status === "fulfilled") {
      const lock = acquired.value;
      assert.equal(
        await redis.send("GET", `lock:${key}`),
        lock.token,
        `cut after ${count}: granted, but not true in Redis`,
      );
      await lock.extend().catch((error) => assert.ok(error instanceof LockError, String(error)));
      assert.match(await settles(lock.release(), 5_000), /^(released|expired|unknown)$/);
    } else {
      assert.ok(acquired.reason instanceof LockError, String(acquired.reason));
    }
    const [other] = await Promise.allSettled([client.tryAcquire(taken)]);
    assert.ok(
      other.value === null || other.reason instanceof LockError,
      "a lock that another holds was granted",
    );
    await gone(key);
    await client.close();
  };
  const counts = Array.from({ length: length + 1 }, (_, count) => count);
  const lane = async () => {
    for (let count = counts.pop(); count !== undefined; count = counts.pop()) await cutAfter(count);
  };
  await Promise.all(Array.from({ length: 16 }, lane));
});
