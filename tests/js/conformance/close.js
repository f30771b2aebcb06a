// close(): releases what is held, settles what is waiting, closes the sockets.
import { equal, matches, ok, pause, rejects, same, until } from "./check.js";

const connectionsOf = (list) => list.split("\n").filter((line) => line.includes("name=redlatch")).length;

export const close = {
  async "close releases what is held, and the connection is gone"({ connect, key, redlatch, sendTo }) {
    const client = connect("victim");
    const names = [key(), key(), key()];
    const locks = await Promise.all(names.map((name) => client.acquire(name, { renew: true })));
    equal(connectionsOf(await sendTo("victim", "CLIENT", "LIST")), 1, "connections");
    await client.close();
    equal(await sendTo("victim", "EXISTS", ...names.map((name) => `lock:${name}`)), 0);
    for (const lock of locks) {
      equal(lock.held, false, "held");
      ok(lock.signal.reason instanceof redlatch.LockLostError, "the holder learns of it");
    }
    await until(
      async () => connectionsOf(await sendTo("victim", "CLIENT", "LIST")) === 0,
      "the end of the connection",
    );
    matches(await locks[0].release(), /^(released|expired|unknown)$/, "the outcome of a later release");
  },

  async "close waits for the body of using, whose lock stays held and renewed until it ends"({
    connect,
    key,
    redlatch,
    send,
  }) {
    const [client, other] = [connect(), connect()];
    const name = key();
    const order = [];
    let closing;
    const using = client.using(name, { ttl: 1_000 }, async (lock) => {
      const aborted = new Promise((resolve) => lock.signal.addEventListener("abort", resolve));
      closing = client.close({ timeout: 20_000 }).then(() => order.push("closed"));
      await rejects(client.acquire(key()), redlatch.ClosedError, { code: "LOCK_CLOSED" });
      await aborted;
      ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason");
      ok(lock.signal.reason.cause instanceof redlatch.ClosedError, "its cause");
      const next = other.acquire(name, { wait: 20_000 }).then((lock) => {
        order.push("next holder");
        return lock.release();
      });
      // Longer than two leases.
      for (const end = Date.now() + 2_300; Date.now() < end; ) {
        equal(await send("GET", `lock:${name}`), lock.token, "the key");
        equal(lock.held, true, "held");
        await pause(50);
      }
      order.push("body ended");
      return { next };
    });
    const { next } = await using;
    equal(await next, "released");
    await closing;
    equal(order[0], "body ended");
    equal(order.length, 3, "all have ended");
  },

  async "a body that does not end keeps its lock for the lease, and close ends without it"({
    connect,
    key,
    send,
  }) {
    const [client, other] = [connect(), connect()];
    const name = key();
    let lock;
    const entered = new Promise((resolve) => {
      const endless = client.using(name, { ttl: 3_000 }, (held) => {
        lock = held;
        resolve();
        return new Promise(() => {});
      });
      endless.catch(() => {});
    });
    await entered;
    const began = Date.now();
    await client.close({ timeout: 200 });
    ok(Date.now() - began < 1_500, `it took ${Date.now() - began} ms`);
    equal(lock.held, false, "held");
    equal(await send("GET", `lock:${name}`), lock.token, "the key");
    const next = await other.acquire(name, { wait: 10_000 });
    ok(Date.now() - began > 1_500, `the next holder came after ${Date.now() - began} ms`);
    await next.release();
  },

  async "waiting acquires reject with ClosedError and leave nothing behind"({
    connect,
    key,
    redlatch,
    send,
  }) {
    const [client, other] = [connect(), connect()];
    const name = key();
    const holder = await other.acquire(name);
    const closed = { code: "LOCK_CLOSED" };
    const waiting = rejects(client.acquire(name, { wait: Infinity }), redlatch.ClosedError, closed);
    await until(() => client.inspect().counters.contended === 1, "the first attempt");
    const inFlight = rejects(client.acquire(key(), { wait: 0 }), redlatch.ClosedError, closed);
    await client.close();
    await Promise.all([waiting, inFlight]);
    equal(await send("GET", `lock:${name}`), holder.token, "the holder's key");
    equal(await holder.release(), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },

  async "every verb of a closed client rejects with ClosedError"({ connect, key, redlatch }) {
    const client = connect();
    const lock = await client.acquire(key());
    await client.close();
    let ran = false;
    const calls = [client.acquire("k"), client.tryAcquire("k"), client.using("k", () => (ran = true))];
    for (const call of calls) await rejects(call, redlatch.ClosedError, { code: "LOCK_CLOSED" });
    equal(ran, false, "the body ran");
    matches((await rejects(lock.extend(), redlatch.LockError)).code, /^LOCK_(CLOSED|LOST)$/, "the code");
    equal(await lock.verify(), false, "verify: close() has released it;");
  },

  async "a release that follows close in the same turn settles"({ connect, key, send }) {
    const client = connect();
    const names = [key(), key()];
    const [before, after] = await Promise.all(names.map((name) => client.acquire(name)));
    const outcomes = [before.release()];
    const closed = client.close();
    outcomes.push(after.release(), after.release());
    for (const outcome of await Promise.all(outcomes)) equal(outcome, "released");
    await closed;
    equal(await send("EXISTS", ...names.map((name) => `lock:${name}`)), 0);
  },

  async "close is idempotent, and fine for a client that was never used"({ connect, redlatch }) {
    const client = connect();
    same(await Promise.all([client.close(), client.close()]), [undefined, undefined]);
    await client.close({ timeout: 10 });
    const disposed = connect();
    await disposed[Symbol.asyncDispose]();
    await rejects(disposed.acquire("k"), redlatch.ClosedError, { code: "LOCK_CLOSED" });
  },

  async "a silent server delays close by its timeout and no longer"({ connect, key, turn }) {
    const client = connect("victim");
    await client.acquire(key(), { ttl: 15_000 });
    await turn("victim", "pause");
    const began = Date.now();
    await client.close({ timeout: 300 });
    ok(Date.now() - began < 2_000, `it took ${Date.now() - began} ms`);
  },

  async "close refuses a bad timeout"({ connect }) {
    const client = connect();
    for (const timeout of [-1, NaN, "5s", null]) {
      const error = await rejects(client.close({ timeout }), Error);
      ok(error instanceof TypeError || error instanceof RangeError, `${error}`);
      matches(error.message, /timeout/, "the message");
    }
  },
};
