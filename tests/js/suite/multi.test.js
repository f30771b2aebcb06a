// Several keys as one lock: all of them or none, in whatever order they are named.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError, NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until, untilRenewed } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";
import { LockLostError, LockTimeoutError, ServerError } from "../support/redlatch.js";
import { assertAllExpire, keysLeft } from "../support/server-state.js";

const redis = await startRedis({ after });
const locked = (...keys) => redis.send("EXISTS", ...keys.map((key) => `lock:${key}`));

test("rule 12: five dining philosophers, five processes, 10 000 meals: nobody starves, no two share a fork", {
  timeout: 200_000,
}, async (t) => {
  const [SEATS, MEALS] = [5, 2_000];
  const own = await startRedis(t);
  const forks = Array.from({ length: SEATS }, (_, at) => `fork-${at}`);
  const script = new URL("../workers/philosopher.js", import.meta.url);
  const workers = forks.map((fork, seat) =>
    // Each names the fork at its left hand first: the order in which a naive multi lock runs into deadlock.
    startWorker(t, script, { port: own.port, forks: [fork, forks[(seat + 1) % SEATS]], meals: MEALS }),
  );
  await Promise.all(workers.map((worker) => worker.said((message) => message.ready, 30_000)));
  await own.send("RPUSH", "start", ...Array(SEATS).fill("go"));
  await Promise.all(workers.map((worker) => worker.said((message) => message.done, 180_000)));
  for (const worker of workers)
    assert.deepEqual(
      worker.messages.filter(({ problem }) => problem),
      [],
    );
  const used = await own.send("MGET", ...forks.map((fork) => `used:${fork}`));
  assert.deepEqual(used.map(Number), Array(SEATS).fill(2 * MEALS), "meals per fork");
  assert.deepEqual(await keysLeft(own, "*lock:*"), []);
  await assertAllExpire(
    own,
    forks.flatMap((fork) => [`used:${fork}`, `fence:${fork}`]),
  );
});

test("rule 12: order and duplicates do not matter: the same keys in any order are the same lock", async (t) => {
  const client = openClient(t, redis);
  const [a, b, c] = [freshKey(), freshKey(), freshKey()];
  const lock = await client.acquire([c, a, b, a, c]);
  assert.deepEqual(lock.keys, [c, a, b], "in the order given, each once");
  assert.equal(await locked(a, b, c), 3);
  for (const keys of [[a, b, c], [b], [a, c], [c, c]]) assert.equal(await client.tryAcquire(keys), null);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  assert.equal(await locked(a, b, c), 0);
});

test("rule 12: a failed acquire leaves none of its keys, wherever the one is that cannot be had", async (t) => {
  const client = openClient(t, redis);
  const count = 7;
  const failWithTaken = async (at) => {
    const keys = Array.from({ length: count }, () => freshKey());
    const [taken, others] = [keys[at], keys.toSpliced(at, 1)];
    const holder = await client.acquire(taken);
    assert.equal(await client.tryAcquire(keys), null);
    assert.equal(await locked(...others), 0);
    const error = await rejection(client.acquire(keys, { wait: 1_500 }));
    assert.ok(error instanceof LockTimeoutError, String(error));
    assert.equal(await locked(...others), 0);
    assert.equal(await redis.send("GET", `lock:${taken}`), holder.token);
    await holder.release();
  };
  await Promise.all(Array.from({ length: count }, (_, at) => failWithTaken(at)));
  await until(async () => (await keysLeft(redis, "*key-*")).length === 0, { what: "no key of ours" });
});

test("rule 12: a key of another type: the error says so, and nothing is written", async (t) => {
  const client = openClient(t, redis);
  const [a, b, c] = [freshKey(), freshKey(), freshKey()];
  await redis.send("RPUSH", `lock:${b}`, "a list");
  for (const fair of [false, true]) {
    assertLockError(await rejection(client.acquire([a, b, c], { fair })), {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "WRONGTYPE",
      port: redis.port,
    });
  }
  assert.deepEqual(await redis.send("KEYS", `*${a}*`), []);
  assert.deepEqual(await redis.send("KEYS", `*${c}*`), []);
  assert.deepEqual(await redis.send("LRANGE", `lock:${b}`, 0, -1), ["a list"]);
  await redis.send("DEL", `lock:${b}`);
});

for (const fate of ["deleted", "taken by another"]) {
  test(`rule 4: one key ${fate} while held: extend and verify say so, and nothing is made again`, async (t) => {
    const client = openClient(t, redis);
    const [a, b] = [freshKey(), freshKey()];
    const lock = await client.acquire([a, b], { ttl: 20_000 });
    if (fate === "deleted") await redis.send("DEL", `lock:${b}`);
    else await redis.send("SET", `lock:${b}`, "a stranger's", "PX", 15_000);
    assert.ok((await rejection(lock.extend(30_000))) instanceof LockLostError);
    assert.equal(await lock.verify(), false);
    assert.equal(lock.held, false);
    assert.equal(lock.signal.aborted, true);
    assert.equal(await lock.release(), "expired");
    await until(async () => (await locked(a)) === 0, { what: "the clean-up of the other key" });
    const left = await redis.send("GET", `lock:${b}`);
    assert.equal(left, fate === "deleted" ? null : "a stranger's");
    if (left !== null) assert.ok((await redis.send("PTTL", `lock:${b}`)) <= 15_000);
  });
}

test("rule 5: renewal notices that one of the keys is gone, and frees the other", async (t) => {
  const [a, b] = [freshKey(), freshKey()];
  const lock = await openClient(t, redis).acquire([a, b], { ttl: 1_500, renew: true });
  // By itself neither the lock nor the other key would end for a long time. Renewal goes on at a third of its own ttl.
  await lock.extend(60_000);
  await redis.send("DEL", `lock:${a}`);
  await settles(aborted(lock.signal), 5_000, "the loss");
  assert.match(lock.signal.reason.message, NOT_OURS);
  await until(async () => (await locked(a, b)) === 0, { what: "the clean-up of the other key" });
});

test("rule 5: renewal keeps all keys", async (t) => {
  const keys = [freshKey(), freshKey(), freshKey()];
  const client = openClient(t, redis);
  const lock = await client.acquire(keys, { ttl: 1_500, renew: true });
  await untilRenewed(client, 4, async () => {
    assert.equal(await locked(...keys), 3);
    assert.equal(lock.held, true);
  });
  assert.equal(await lock.release(), "released");
});

test("rule 8: the fence is above that of every one of the keys", async (t) => {
  const own = await startRedis(t);
  const client = openClient(t, own);
  const [a, b] = [freshKey(), freshKey()];
  await own.send("SET", "lock:redlatch:fence", "9007199254740000", "PX", 60_000);
  const fences = [];
  for (const [keys, fair] of [[[a, b]], [a], [[b, a], true], [b], [a, true], [[a, b]]]) {
    const lock = await client.acquire(keys, { fair });
    fences.push(lock.fence);
    await lock.release();
  }
  assert.deepEqual(
    fences.map((fence) => fence - 9007199254740000n),
    [1n, 2n, 3n, 4n, 5n, 6n],
  );
});
