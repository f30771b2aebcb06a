// A lock says why: keys, the caller's stack and a cause on every error, and a loss is not taken for a success.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { inspect } from "node:util";
import { ENDED, NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { freePort, startRedis } from "../support/redis.js";
import { ClosedError, ConnectionError, LockError, LockLostError, ServerError } from "../support/redlatch.js";
import { runtime } from "../support/runtime.js";

const redis = await startRedis({ after });

/** The first frame of an error's stack. */
const callerOf = ({ stack }) => /^ {4}at (.*)$/m.exec(stack)?.[1] ?? stack;

/** Functions of an application, as they appear in stacks. JavaScriptCore leaves out frames that end with a call. */
const application = {
  async applicationAcquires(client, ...args) {
    const lock = await client.acquire(...args);
    return lock;
  },
  async applicationTries(client, ...args) {
    const lock = await client.tryAcquire(...args);
    return lock;
  },
  async applicationUses(client, ...args) {
    const result = await client.using(...args);
    return result;
  },
  async applicationAdopts(client, ...args) {
    const lock = await client.adopt(...args);
    return lock;
  },
  async applicationExtends(lock) {
    await lock.extend();
  },
};

test("rule 19: every rejection has the keys and the stack of the call that failed", async (t) => {
  const client = openClient(t, redis);
  const keys = [freshKey("one"), freshKey("two")];
  const lock = await client.acquire(keys);
  const nobody = openClient(t, `redis://127.0.0.1:${await freePort()}`);
  await redis.send("RPUSH", "lock:a-list", "x");
  const closed = openClient(t, redis);
  await closed.close();
  const calls = [
    ["applicationAcquires", "LOCK_TIMEOUT", keys, client, keys, { wait: 20 }],
    ["applicationUses", "LOCK_TIMEOUT", keys, client, keys, { wait: 20 }, () => {}],
    ["applicationTries", "LOCK_CONNECTION", keys, nobody, keys],
    ["applicationTries", "LOCK_SERVER", ["a-list"], client, "a-list"],
    ["applicationAdopts", "LOCK_LOST", keys, client, { ...lock.toJSON(), token: "another" }],
    ["applicationAcquires", "LOCK_CLOSED", keys, closed, keys],
  ];
  for (const [name, code, expected, ...args] of calls) {
    const error = await rejection(application[name](...args));
    assert.ok(error instanceof LockError, `${name}: ${error}`);
    assert.equal(error.code, code);
    assert.deepEqual(error.keys, expected, name);
    for (const key of expected) assert.ok(error.message.includes(JSON.stringify(key)), error.message);
    assert.ok(callerOf(error).includes(name), error.stack);
    assert.ok(error.stack.startsWith(`${error.name}: ${error.message}\n`), error.stack);
    assert.doesNotMatch(error.stack, /redlatch|pkg/i, "no frame of the package's own");
  }
});

test("rule 19: of many pending acquires, each has the stack of the functions that await it", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  await client.acquire(key);
  const verbs = [
    ["applicationAcquires", key, { wait: 20 }],
    ["applicationUses", key, { wait: 20 }, () => {}],
  ];
  for (const [name, ...args] of verbs) {
    const calls = Array.from({ length: 40 }, () => rejection(application[name](client, ...args)));
    const errors = await Promise.all(calls);
    for (const error of errors) {
      assert.equal(error.code, "LOCK_TIMEOUT");
      assert.ok(error.stack.startsWith(`LockTimeoutError: ${error.message}`), error.stack);
      assert.doesNotMatch(error.stack, /redlatch|pkg/i, "no frame of the package's own");
    }
    const located = errors.filter((error) => callerOf(error).includes(name)).length;
    // JavaScriptCore does not know who awaits.
    assert.equal(located, runtime === "bun" ? 2 : 40, name);
  }
});

test("rule 19: the rejections of a lock have the stack of the call on it, its loss that of the acquire", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const lock = await application.applicationAcquires(client, key);
  await redis.send("DEL", `lock:${key}`);
  const denied = await rejection(application.applicationExtends(lock));
  assert.match(denied.stack, /applicationExtends/);
  assert.match(denied.message, NOT_OURS);
  await settles(aborted(lock.signal));
  assert.match(lock.signal.reason.stack, /applicationAcquires/);
  const later = await rejection(application.applicationExtends(lock));
  assert.match(later.stack, /applicationExtends/);
  assert.deepEqual(later.keys, [key]);
  assert.equal(later.since, lock.signal.reason.since);
});

test("rule 19: using rejects when the lock was lost while the body ran, and has what the body returned", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const error = await rejection(
    application.applicationUses(client, key, async (lock) => {
      await redis.send("DEL", `lock:${key}`);
      assert.equal(await lock.verify(), false);
      return "done";
    }),
  );
  assert.ok(error instanceof LockLostError);
  assert.match(error.message, NOT_OURS);
  assert.match(error.stack, /applicationUses/);
  assert.deepEqual([error.result, error.keys], ["done", [key]]);
});

test("rule 19: using rejects also when only the release finds that the lock is gone", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const error = await rejection(
    client.using(key, async () => {
      await redis.send("SET", `lock:${key}`, "another's", "PX", 5_000);
    }),
  );
  assert.ok(error instanceof LockLostError && "result" in error, String(error));
  assert.match(error.message, /no longer ours/);
  assert.equal(await redis.send("GET", `lock:${key}`), "another's");
});

test("rule 6: a release that finds the lock gone is one loss, for the signal and for observers", async (t) => {
  for (const servers of [redis, [redis, await startRedis(t), await startRedis(t)]]) {
    const events = [];
    const client = openClient(t, servers, { observe: (event) => events.push(event) });
    const key = freshKey();
    const lock = await client.acquire(key);
    const { signal } = lock;
    for (const server of [servers].flat()) await server.send("DEL", `lock:${key}`);
    const ended = events.length;
    assert.equal(await lock.release(), "expired");
    assert.ok(signal.reason instanceof LockLostError);
    const { fence } = events.find(({ type }) => type === "acquired");
    const told = events.slice(ended).map(({ held, error, ...event }) => {
      assert.ok(held > 0 && (error === undefined || error.code === "LOCK_LOST"));
      return event;
    });
    assert.deepEqual(told, [
      { type: "lost", keys: [key], fence },
      { type: "released", keys: [key], fence, outcome: "expired" },
    ]);
    const { lost, released } = client.inspect().counters;
    assert.deepEqual([lost, released], [1, 0]);
  }
});

test("rule 19: the body's error wins over the loss, and a lock that the body released was not lost", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const wrong = new Error("the work failed");
  const losing = async () => {
    await redis.send("DEL", `lock:${key}`);
    throw wrong;
  };
  assert.equal(await rejection(client.using(key, losing)), wrong);
  assert.equal(await client.using(key, (lock) => lock.release()), "released");
});

test("tryAcquire waits for `wait`, and answers null after it", async (t) => {
  const [client, other] = [openClient(t, redis), openClient(t, redis)];
  const key = freshKey();
  const holder = await other.acquire(key);
  assert.equal(await client.tryAcquire(key), null);
  const began = performance.now();
  assert.equal(await client.tryAcquire(key, { wait: 100 }), null);
  assert.ok(performance.now() - began >= 90, "it waited");
  const waiting = client.tryAcquire(key, { wait: 5_000 });
  await holder.release();
  const lock = await settles(waiting);
  assert.equal(await lock.release(), "released");
});

test("the default lease of a lock that is renewed is shorter than the default wait", async (t) => {
  const client = openClient(t, redis);
  const left = async (options) => {
    const lock = await client.acquire(freshKey(), options);
    const { ttl } = lock.toJSON();
    await lock.release();
    return ttl;
  };
  assert.equal(await left(), 30_000);
  assert.equal(await left({ renew: true }), 10_000);
  assert.equal(await client.using(freshKey(), (lock) => lock.toJSON().ttl), 10_000);
  assert.equal(await client.using(freshKey(), { renew: false }, (lock) => lock.toJSON().ttl), 30_000);
  const own = openClient(t, redis, { ttl: 3_000 });
  assert.equal(await own.using(freshKey(), (lock) => lock.toJSON().ttl), 3_000);
});

test("rule 19: the errors of calls that close() ends name their keys", async (t) => {
  const client = openClient(t, redis);
  const key = freshKey();
  const holder = await openClient(t, redis).acquire(key);
  const waiting = rejection(application.applicationAcquires(client, key, { wait: 5_000 }));
  const lock = await client.acquire(freshKey());
  await client.close();
  const error = await waiting;
  assert.ok(error instanceof ClosedError);
  assert.deepEqual(error.keys, [key]);
  assert.match(error.stack, /applicationAcquires/);
  assert.ok(lock.signal.reason.cause instanceof ClosedError);
  await holder.release();
});

/** A user of the server, as the URL of a client. */
async function userOf(name) {
  await redis.send("ACL", "SETUSER", name, "on", ">secret", "~*", "&*", "+@all");
  return `redis://${name}:secret@127.0.0.1:${redis.port}`;
}

const spoilers = {
  NOPERM: (name) => redis.send("ACL", "SETUSER", name, "-eval", "-evalsha"),
  WRONGPASS: async (name) => {
    await redis.send("ACL", "SETUSER", name, "resetpass", ">another");
    await redis.send("CLIENT", "KILL", "USER", name);
  },
};

for (const [prefix, spoil] of Object.entries(spoilers)) {
  test(`rule 19: a renewed lock that is lost says why it was not renewed: ${prefix}`, async (t) => {
    const name = `user-${prefix.toLowerCase()}`;
    const events = [];
    const client = openClient(t, await userOf(name), {
      observe: (event) => events.push(event),
    });
    const key = freshKey();
    const lock = await application.applicationAcquires(client, key, {
      ttl: 1_000,
      renew: true,
    });
    await spoil(name);
    await settles(aborted(lock.signal));
    const { reason } = lock.signal;
    assert.match(reason.message, ENDED);
    assert.ok(reason.cause instanceof ServerError, String(reason.cause));
    assert.deepEqual([reason.cause.prefix, reason.cause.keys], [prefix, [key]]);
    assert.match(reason.stack, /applicationAcquires/);
    const failed = events.filter(({ type }) => type === "renew-failed");
    assert.ok(
      failed.some(({ error }) => error.prefix === prefix),
      JSON.stringify(failed),
    );
    const lost = events.find(({ type }) => type === "lost");
    assert.equal(lost.error.cause.prefix, prefix);
    assert.equal(client.inspect().nodes[0].fault.prefix, prefix);
    assert.doesNotMatch(JSON.stringify([events, client.inspect()]), /secret|another/);
  });
}

test("rule 19: a renewed lock that is lost says why it was not renewed: silence", async (t) => {
  const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
  const url = redis.url.replace(String(redis.port), String(proxy.port));
  const client = openClient(t, url, { nodeTimeout: 100 });
  const lock = await client.acquire(freshKey(), { ttl: 1_000, renew: true });
  proxy.deaf = true;
  await settles(aborted(lock.signal));
  assert.ok(lock.signal.reason.cause instanceof ConnectionError, String(lock.signal.reason.cause));
});

test("rule 19: the first refusal of a server is reported at once, to observers or as a warning", async (t) => {
  const url = `redis://127.0.0.1:${await freePort()}`;
  const events = [];
  const observed = openClient(t, url, {
    observe: (event) => events.push(event),
  });
  const controller = new AbortController();
  const waiting = rejection(
    observed.acquire(freshKey(), { wait: 60_000, signal: controller.signal }),
    10_000,
  );
  const ended = await until(() => events.find(({ state }) => state === "ended"));
  assert.match(ended.reason, /ECONNREFUSED/);
  assert.equal(ended.error.cause.code, "ECONNREFUSED");
  const warnings = [];
  const listener = (warning) => warnings.push(warning);
  process.on("warning", listener);
  t.after(() => process.off("warning", listener));
  const silent = openClient(t, url);
  const alsoWaiting = rejection(
    silent.acquire(freshKey(), { wait: 60_000, signal: controller.signal }),
    10_000,
  );
  await until(() => warnings.length > 0);
  controller.abort();
  await Promise.all([waiting, alsoWaiting]);
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["REDLATCH_FIRST_CONTACT"],
  );
  assert.match(warnings[0].message, /ECONNREFUSED/);
});

test("label: the key on the server shows who holds a lock, and the application sees the same token", async (t) => {
  const client = openClient(t, redis, { label: "web/1 (blue)" });
  const key = freshKey();
  const lock = await client.acquire(key, { renew: true });
  assert.match(lock.token, /^web\/1 \(blue\)\/[0-9a-f]{40}$/);
  assert.equal(await redis.send("GET", `lock:${key}`), lock.token);
  assert.equal(await lock.verify(), true);
  const adopted = await openClient(t, redis).adopt(lock.toJSON());
  assert.equal(await adopted.release(), "released");
  const own = await client.acquire(freshKey(), { token: "mine" });
  assert.equal(own.token, "mine");
  await own.release();
  for (const label of ["x".repeat(65), "é", "a\nb", 7])
    assert.throws(() => openClient(t, redis, { label }), /label/);
  openClient(t, redis, { label: "x".repeat(64) });
});

test("console.log of a client and of a lock shows their state, and never a token", async (t) => {
  const client = openClient(t, redis, { label: "me" });
  const key = freshKey();
  const lock = await client.acquire(key);
  const [shownClient, shownLock] = [inspect(client), inspect(lock)];
  assert.match(shownLock, /^Lock \{/);
  assert.match(shownLock, /held: true/);
  assert.ok(shownLock.includes(key), shownLock);
  assert.match(shownClient, /^LockClient \{/);
  assert.match(shownClient, /state: 'ready'/);
  for (const shown of [shownClient, shownLock, inspect({ client, lock }, { depth: 9, showHidden: true })]) {
    assert.ok(!shown.includes(lock.token.slice(3)), shown);
  }
  await lock.release();
  assert.match(inspect(lock), /held: false/);
});
