// What holds over every other client that carries the locks' commands. For Node.js, Bun and Deno: no test runner here.
import assert from "node:assert/strict";
import { assertLockError, everythingShown } from "./assertions.js";
import { freshKey, openClient } from "./clients.js";
import { rejection, settles, until } from "./conditions.js";
import { forwardingTo, startFakeServer } from "./fake-server.js";
import { joinQueue } from "./queue.js";
import { startRedis } from "./redis.js";
import { ConnectionError, fromCommand, LockError, ServerError } from "./redlatch.js";
import { ALL } from "./rights.js";
import { tokenOf } from "./server-state.js";

const LOGIN = { user: "app", password: "pw" };
const QUICK = { retry: { min: 5, max: 20 } };
const TOKEN = "canary-token-0815";

const NAMES = [
  "plain",
  "a\0b",
  "a\0",
  " ",
  "\r\n$1\r\na\r\n",
  "🔒",
  "{🔒}",
  "ключ",
  "\ud800",
  "\ud801",
  "x\udc00",
  "\ufffd",
  "237,160,128",
  "\ufeffa",
  "x".repeat(65_536),
];

/** A server on which other clients log in as `app`, and may do everything: they send commands of their own. */
export async function startAppRedis(scope, options) {
  const server = await startRedis(scope, options);
  await server.send("ACL", "SETUSER", LOGIN.user, "on", `>${LOGIN.password}`, ...ALL);
  return server;
}

/** A lock client over the other client that `open` opens. */
export async function over(scope, open, server, options = {}) {
  const send = await open(scope, { port: server.port, ...LOGIN });
  return openClient(scope, undefined, { transport: fromCommand(send), ...QUICK, ...options });
}

async function works(client) {
  const lock = await client.acquire(freshKey(), { wait: 8_000 });
  assert.equal(await lock.release(), "released");
}

const untilWorks = (client) =>
  until(
    () =>
      works(client).then(
        () => true,
        () => false,
      ),
    { within: 10_000 },
  );

/** By name: `check(scope, open, servers)`, with three servers from {@link startAppRedis}. */
export const CHECKS = {
  async "a lock's whole life"(scope, open, [redis]) {
    const client = await over(scope, open, redis);
    const key = freshKey();
    const lock = await client.acquire(key, { ttl: 20_000, token: TOKEN });
    assert.ok(lock.fence > 0n);
    assert.equal(await tokenOf(redis, key), TOKEN);
    await lock.extend(40_000);
    assert.ok((await redis.send("PTTL", `lock:${key}`)) > 30_000);
    assert.equal(await lock.verify(), true);
    const again = await client.acquire(key, { token: TOKEN });
    assert.equal(await again.release(), "released");
    assert.equal(await client.tryAcquire(key), null);
    await redis.send("DEL", `lock:${key}`);
    assert.equal(await lock.verify(), false);
    assert.equal(await lock.release(), "expired");
    const [node] = client.inspect().nodes;
    assert.equal(node.state, "ready");
    assert.equal(node.wakes, false);
    const renewed = await client.using(key, { ttl: 1_500 }, async (held) => {
      await until(() => client.inspect().counters.renewed > 0);
      return held.held;
    });
    assert.equal(renewed, true);
  },

  async "exclusion and waiting, against the package's own connection"(scope, open, [redis]) {
    const [theirs, ours] = [await over(scope, open, redis), openClient(scope, redis, QUICK)];
    const check = async (first, second, fair) => {
      const keys = [freshKey("one"), freshKey("two")];
      const lock = await first.acquire(keys, { fair });
      assert.equal(await second.tryAcquire(keys[1], { fair }), null);
      assert.equal((await rejection(second.acquire(keys[0], { fair, wait: 1_500 }))).code, "LOCK_TIMEOUT");
      const waiting = second.acquire([keys[1], freshKey("three")], { fair, wait: 10_000 });
      await until(() => second.inspect().waiters.some((waiter) => waiter.keys.includes(keys[1])));
      assert.equal(await lock.release(), "released");
      const next = await settles(waiting, 3_000, "the turn of the one that waits");
      assert.ok(next.fence > lock.fence);
      assert.equal(await next.release(), "released");
    };
    await Promise.all(
      [false, true].flatMap((fair) => [check(theirs, ours, fair), check(ours, theirs, fair)]),
    );
  },

  async "fair, in the order of arrival"(scope, open, [redis]) {
    const [theirs, ours] = [await over(scope, open, redis), openClient(scope, redis, QUICK)];
    const key = freshKey();
    const holder = await theirs.acquire(key, { fair: true });
    const served = [];
    const turns = [];
    for (const [name, client] of [theirs, ours, theirs, ours].entries()) {
      const { promise } = await joinQueue(redis, key, () => client.acquire(key, { fair: true }));
      turns.push(
        promise.then(async (lock) => {
          served.push(name);
          await lock.release();
        }),
      );
    }
    await holder.release();
    await settles(Promise.all(turns), 5_000, "the queue");
    assert.deepEqual(served, [0, 1, 2, 3]);
  },

  async "a server that has forgotten the scripts"(scope, open, [redis]) {
    const client = await over(scope, open, redis);
    for (const fair of [false, true]) {
      await redis.send("SCRIPT", "FLUSH");
      const lock = await client.acquire(freshKey(), { fair });
      await redis.send("SCRIPT", "FLUSH");
      await lock.extend();
      await redis.send("SCRIPT", "FLUSH");
      assert.equal(await lock.release(), "released");
    }
  },

  async "names of every shape are the same keys as over the package's own connection"(scope, open, [redis]) {
    const theirs = await over(scope, open, redis, { ttl: 60_000 });
    const ours = openClient(scope, redis, { ttl: 60_000 });
    const locks = [];
    for (const name of NAMES)
      locks.push(await theirs.tryAcquire(name, { token: `${TOKEN} ${name.slice(0, 9)}` }));
    for (const [at, name] of NAMES.entries()) {
      const shown = JSON.stringify(name).slice(0, 30);
      assert.ok(locks[at], `${shown} collides with another name`);
      assert.equal(await ours.tryAcquire(name), null, shown);
      assert.equal(await locks[at].release(), "released", shown);
      const lock = await ours.tryAcquire(name);
      assert.ok(lock, shown);
      await lock.release();
    }
  },

  async "errors of the server, by name and without secrets"(scope, open, [redis]) {
    const client = await over(scope, open, redis);
    const key = freshKey();
    const refused = async (prefix) => {
      // Each with a token of its own: one that is being cleaned up after is not free yet.
      const error = await rejection(client.tryAcquire(key, { token: `${TOKEN} ${prefix}` }));
      assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix });
      assert.doesNotMatch(everythingShown(error), /canary/);
    };
    await redis.send("RPUSH", `lock:${key}`, "not a lock");
    await refused("WRONGTYPE");
    await redis.send("DEL", `lock:${key}`);
    await redis.send("ACL", "SETUSER", LOGIN.user, "-evalsha");
    await refused("NOPERM");
    await redis.send("ACL", "SETUSER", LOGIN.user, "+evalsha");
    await redis.send("REPLICAOF", "127.0.0.1", "1");
    await refused("READONLY");
    await redis.send("REPLICAOF", "NO", "ONE");
    await works(client);
  },

  async "a connection that is killed, again and again"(scope, open, [redis]) {
    // Some clients leave a connection's commands without an outcome; after four times as long it is given up.
    const client = await over(scope, open, redis, { nodeTimeout: 800 });
    let failed = 0;
    for (let round = 0; round < 30 && failed < 3; round += 1) {
      const calls = Array.from({ length: 5 }, () => client.tryAcquire(freshKey(), { token: TOKEN }));
      const outcomes = settles(Promise.allSettled(calls), 5_000, "calls whose connection was killed");
      await Promise.resolve();
      await redis.send("CLIENT", "KILL", "USER", LOGIN.user);
      for (const { value, reason } of await outcomes) {
        if (reason === undefined) {
          assert.notEqual(value, null);
        } else {
          failed += 1;
          assert.ok(reason instanceof LockError, String(reason));
          assert.doesNotMatch(everythingShown(reason), /canary/);
        }
      }
      await works(client);
    }
  },

  async "a server that stops and comes back"(scope, open) {
    const own = await startAppRedis(scope);
    const client = await over(scope, open, own, { nodeTimeout: 300 });
    const lock = await client.acquire(freshKey(), { ttl: 400, renew: true });
    await own.stop();
    const error = await rejection(client.tryAcquire("late", { token: TOKEN }));
    assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION" });
    assert.doesNotMatch(everythingShown(error), /canary/);
    await until(() => lock.signal.aborted, { what: "the word that the lock is lost" });
    assert.equal(await settles(lock.release(), 3_000), "expired");
    const again = await startAppRedis(scope, { port: own.port });
    await untilWorks(client);
    assert.equal(await again.send("EXISTS", "lock:late"), 0, "nothing that was given up is done later");
  },

  async "a command whose reply is lost is not sent again, but asked anew by us"(scope, open, [redis]) {
    let cut;
    const real = await forwardingTo(redis, (args, connection) => {
      if (!args[0].startsWith("EVAL") || cut !== undefined) return undefined;
      // The nonce, which follows the keys.
      cut = args[3 + Number(args[2])];
      connection.cut();
      return null;
    });
    const fake = await startFakeServer(scope, real);
    const client = await over(scope, open, fake, { nodeTimeout: 500 });
    // The client may have no new connection yet.
    await client.tryAcquire(freshKey()).catch((error) => {
      assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION" });
    });
    await untilWorks(client);
    assert.equal(fake.commands.filter((args) => args.includes(cut)).length, 1);
  },

  async "Redlock over three clients"(scope, open, servers) {
    const sends = await Promise.all(servers.map((server) => open(scope, { port: server.port, ...LOGIN })));
    const nodes = sends.map((send) => ({ transport: fromCommand(send) }));
    const theirs = openClient(scope, undefined, { nodes, ...QUICK });
    const ours = openClient(scope, servers, QUICK);
    const key = freshKey();
    const lock = await theirs.acquire(key, { token: TOKEN });
    assert.equal(lock.fence, null);
    for (const server of servers) await until(async () => (await tokenOf(server, key)) === TOKEN);
    assert.equal(await ours.tryAcquire(key), null);
    await lock.extend();
    assert.equal(await lock.release(), "released");
    await until(async () => (await servers[2].send("EXISTS", `lock:${key}`)) === 0);
    // One of three does not matter.
    await servers[2].send("ACL", "SETUSER", LOGIN.user, "-evalsha");
    assert.equal(await (await theirs.acquire(key)).release(), "released");
    await servers[1].send("ACL", "SETUSER", LOGIN.user, "-evalsha");
    assert.equal((await rejection(theirs.tryAcquire(key))).code, "LOCK_QUORUM");
    for (const server of servers) await server.send("ACL", "SETUSER", LOGIN.user, "+evalsha");
  },
};
