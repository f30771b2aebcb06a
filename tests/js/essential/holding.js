// Holding a lock: renewal, loss, extension.
import { aborted, equal, ok, pause, rejects, until } from "./kit.js";

export const holding = {
  async "a renewed lock outlives its lease"({ connect, key, send }) {
    const [client, other] = [connect(), connect()];
    const name = key();
    const lock = await client.acquire(name, { ttl: 2_000, renew: true });
    const end = Date.now() + 4_200;
    while (Date.now() < end) {
      equal(await other.tryAcquire(name), null, "the other's try");
      equal(lock.held, true, "held");
      await pause(50);
    }
    ok(client.inspect().counters.renewed >= 2, "it was renewed");
    equal(await lock.release(), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },

  async "a lock that is not renewed is lost before its lease ends on the server"({ connect, key, redlatch }) {
    const name = key();
    const began = Date.now();
    const lock = await connect("main", { drift: 0.5 }).acquire(name, { ttl: 3_000 });
    await aborted(lock.signal);
    const took = Date.now() - began;
    ok(took > 1_300 && took < 2_900, `half of the lease is over; it took ${took} ms`);
    equal(lock.held, false, "held");
    equal(lock.remaining, 0, "remaining");
    ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason is a LockLostError");
    equal(lock.signal.reason.code, "LOCK_LOST");
    equal(await lock.release(), "expired");
  },

  async "the holder is told that somebody has deleted the key"({ connect, key, redlatch, send }) {
    const name = key();
    const lock = await connect().acquire(name, { ttl: 900, renew: true });
    await send("DEL", `lock:${name}`);
    // Renewals are at a third of the lease.
    await aborted(lock.signal, 3_000);
    ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason is a LockLostError");
    equal(lock.held, false, "held");
    equal(await send("EXISTS", `lock:${name}`), 0, "what a renewal made of nothing");
  },

  async "the holder is told in time when the server is silent"({ connect, key, redlatch, turn }) {
    const lock = await connect("victim").acquire(key(), { ttl: 800, renew: true });
    await turn("victim", "pause");
    const began = Date.now();
    await aborted(lock.signal, 5_000);
    // The lease was renewed at most just before the pause.
    ok(Date.now() - began < 3_000, `told ${Date.now() - began} ms after the pause`);
    ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason is a LockLostError");
  },

  async "extend lengthens the lease, and says so when the lock is gone"({ connect, key, redlatch, send }) {
    const name = key();
    const lock = await connect().acquire(name, { ttl: 5_000 });
    await lock.extend(20_000);
    ok(lock.remaining > 15_000, "remaining");
    ok((await send("PTTL", `lock:${name}`)) > 15_000, "the key's time to live");
    await send("SET", `lock:${name}`, "a stranger's", "PX", 5_000);
    await rejects(lock.extend(), redlatch.LockLostError, { code: "LOCK_LOST" });
    equal(await send("GET", `lock:${name}`), "a stranger's", "the key");
    equal(lock.signal.aborted, true, "aborted");
  },

  async "verify asks the server"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name);
    equal(await lock.verify(), true);
    await send("DEL", `lock:${name}`);
    equal(lock.held, true, "held, as far as one can know");
    equal(await lock.verify(), false);
    equal(lock.held, false, "held, after asking");
  },

  async "maxHold ends a renewal that would never end"({ connect, key }) {
    const began = Date.now();
    const lock = await connect().acquire(key(), { ttl: 2_000, renew: true, maxHold: 2_500 });
    await aborted(lock.signal, 8_000);
    const took = Date.now() - began;
    ok(took > 2_400 && took < 6_000, `after its maxHold; it took ${took} ms`);
    ok(lock.signal.reason.message.includes("maxHold"), `that is the reason: ${lock.signal.reason.message}`);
  },

  async "using renews, releases, and settles as its body does"({ connect, key, send }) {
    const client = connect();
    const name = key();
    const outcome = await client.using(name, { ttl: 2_000 }, async (lock) => {
      await pause(3_000);
      equal(await send("GET", `lock:${name}`), lock.token, "the key after its first lease");
      return "done";
    });
    equal(outcome, "done");
    const failure = new Error("the body's own");
    const failed = client.using(name, async () => {
      await send("DEL", `lock:${name}`);
      throw failure;
    });
    equal(await failed.catch((error) => error), failure, "the error");
    await until(async () => (await send("EXISTS", `lock:${name}`)) === 0, "the release");
  },
};
