// close(): releases what is held, settles what is waiting, closes the sockets.
import { equal, matches, ok, rejects, same, until } from "./check.js";

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
