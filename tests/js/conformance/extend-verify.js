// extend() and verify(): the server's word about a lease.
import { aborted, equal, matches, ok, rejects, until, within } from "./check.js";

export const extendVerify = {
  async "extend prolongs the lease, from the moment of sending"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name, { ttl: 5_000 });
    const asked = Date.now();
    await lock.extend(20_000);
    within(await send("PTTL", `lock:${name}`), 15_001, 20_000, "the key's time to live");
    const { remaining } = lock;
    // Less the allowance for drift, 1 % and 2 ms; clocks are read in whole ms.
    within(remaining, 20_000 - 202 - (Date.now() - asked) - 2, 20_000 - 202, "remaining");
    await lock.extend(500);
    ok((await send("PTTL", `lock:${name}`)) > 10_000, "the server never shortens a lease");
    equal(lock.held, true, "held");
    equal(await lock.release(), "released");
  },

  async "extend without a number gives the lease that the lock was taken with"({ connect, key }) {
    const lock = await connect().acquire(key(), { ttl: 3_000 });
    await until(() => lock.remaining < 2_850, "some of the lease to pass");
    const asked = Date.now();
    await lock.extend();
    within(lock.remaining, 3_000 - 32 - (Date.now() - asked) - 2, 3_000 - 32, "remaining");
  },

  async "extend of a lock that is gone rejects, ends the lock, and never makes the key again"({
    connect,
    key,
    redlatch,
    send,
  }) {
    for (const owner of [undefined, "another owner"]) {
      const name = key();
      const lock = await connect().acquire(name);
      if (owner === undefined) await send("DEL", `lock:${name}`);
      else await send("SET", `lock:${name}`, owner, "PX", 20_000);
      await rejects(lock.extend(), redlatch.LockLostError, { code: "LOCK_LOST" });
      equal(lock.held, false, "held");
      await aborted(lock.signal);
      ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason is a LockLostError");
      equal(await send("GET", `lock:${name}`), owner ?? null, "the key");
    }
  },

  async "extend of a released lock rejects"({ connect, key, redlatch }) {
    const lock = await connect().acquire(key());
    await lock.release();
    await rejects(lock.extend(5_000), redlatch.LockLostError, { code: "LOCK_LOST" });
  },

  async "extend without an answer rejects and leaves the old lease as it was"({
    connect,
    key,
    redlatch,
    turn,
  }) {
    const lock = await connect("victim", { nodeTimeout: 300 }).acquire(key(), { ttl: 15_000 });
    await turn("victim", "pause");
    await rejects(lock.extend(60_000), redlatch.ConnectionError, { code: "LOCK_CONNECTION" });
    equal(lock.held, true, "held");
    ok(lock.remaining <= 15_000, "an unknown outcome gives no time");
    equal(lock.signal.aborted, false, "aborted");
  },

  async "extend refuses a bad lease by name"({ connect, key }) {
    const lock = await connect().acquire(key());
    for (const ttl of [0, -1, 1.5, NaN, 99, "5s", 2 ** 53, null]) {
      const error = await rejects(lock.extend(ttl), Error);
      ok(error instanceof TypeError || error instanceof RangeError, `${error}`);
      matches(error.message, /ttl/, "the message");
    }
    equal(lock.held, true, "held");
  },

  async "verify asks the server, and its no is a loss"({ connect, key, redlatch, send }) {
    for (const fate of [["DEL"], ["SET", "another owner", "PX", "5000"]]) {
      const name = key();
      const lock = await connect().acquire(name);
      equal(await lock.verify(), true);
      const [command, ...values] = fate;
      await send(command, `lock:${name}`, ...values);
      equal(lock.held, true, "held, as far as the client knows");
      equal(await lock.verify(), false);
      equal(lock.held, false, "held, after asking");
      await aborted(lock.signal);
      ok(lock.signal.reason instanceof redlatch.LockLostError, "the reason is a LockLostError");
    }
  },

  async "verify without an answer rejects: neither yes nor no"({ connect, key, redlatch, turn }) {
    const lock = await connect("victim", { nodeTimeout: 300 }).acquire(key(), { ttl: 15_000 });
    await turn("victim", "pause");
    await rejects(lock.verify(), redlatch.ConnectionError, { code: "LOCK_CONNECTION" });
    equal(lock.held, true, "held");
  },
};
