// One client has a lock at a time: acquire and tryAcquire, and what they leave on the server.
import { equal, matches, ok, pause, rejects, same, until, within } from "./check.js";

const FAST = { retry: { min: 5, max: 20 } };

/** How many attempts `client` has made. */
const attempts = (client) => client.inspect().counters.attempts;

export const acquire = {
  async "a lock keeps other clients out until it is released"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 20_000 });
    same(lock.keys, [name]);
    matches(lock.token, /^[0-9a-f]{40}$/, "the token");
    equal(typeof lock.fence, "bigint");
    equal(lock.held, true, "held");
    // The validity leaves room for drift: 1 % and 2 ms.
    within(lock.remaining, 15_001, 20_000 - 202, "remaining");
    ok(lock.signal instanceof AbortSignal && !lock.signal.aborted, "signal");
    equal(await send("GET", `lock:${name}`), lock.token, "the key on the server");
    within(await send("PTTL", `lock:${name}`), 15_001, 20_000, "the key's time to live");
    equal(await other.tryAcquire(name), null, "the other client's attempt");
    equal(await send("GET", `lock:${name}`), lock.token, "the key after that attempt");
    equal(await lock.release(), "released");
    equal(lock.held, false, "held after the release");
    equal(lock.remaining, 0, "remaining after the release");
    equal(await send("EXISTS", `lock:${name}`), 0);
    const next = await other.tryAcquire(name);
    ok(next.fence > lock.fence, "the next fence is greater");
    ok(next.token !== lock.token, "every lock has a token of its own");
  },

  async "a second acquire of the same client is another owner, not a re-entry"({ connect, key }) {
    const client = connect();
    const name = key();
    const lock = await client.acquire(name);
    equal(await client.tryAcquire(name), null);
    equal(await lock.release(), "released");
  },

  async "contenders lose no update, and fences grow"({ connect, key, send }) {
    const name = key();
    const clients = [connect("main", { retry: { min: 1, max: 20 } }), connect()];
    const fences = [];
    await send("SET", `counter:${name}`, 0);
    const contend = async (client) => {
      for (let round = 0; round < 4; round += 1) {
        await client.using(name, async ({ fence }) => {
          const before = Number(await send("GET", `counter:${name}`));
          fences.push(fence);
          await pause(1);
          await send("SET", `counter:${name}`, before + 1);
        });
      }
    };
    await Promise.all(Array.from({ length: 6 }, (_, at) => contend(clients[at % 2])));
    equal(await send("GET", `counter:${name}`), "24", "the counter");
    ok(
      fences.every((fence, at) => at === 0 || fence > fences[at - 1]),
      "each fence is greater than the one before",
    );
  },

  async "acquire waits for the holder, and has the lock once it is released"({ connect, key }) {
    const [mine, other] = [connect(), connect("main", { ...FAST, wait: 15_000 })];
    const name = key();
    const first = await mine.acquire(name);
    let granted = false;
    const waiting = other.acquire(name).finally(() => (granted = true));
    await until(() => attempts(other) >= 4, "the third poll");
    equal(granted, false, "granted while the lock is held");
    await first.release();
    const second = await waiting;
    ok(second.fence > first.fence, "the next fence is greater");
    equal(await second.release(), "released");
  },

  async "acquire has the lock of a holder that never releases when the lease ends"({ connect, key }) {
    const name = key();
    const began = Date.now();
    const dead = await connect().acquire(name, { ttl: 700 });
    const lock = await connect().acquire(name);
    // The first client releases the lock when it reports the loss: up to 16 ms before the lease ends.
    within(Date.now() - began, 680, 4_000, "the time that it took, in ms,");
    equal(dead.held, false, "held by the first client");
    equal(lock.held, true, "held by the second client");
  },

  async "acquire gives up after `wait`, and leaves the holder alone"({ connect, key, redlatch, send }) {
    const name = key();
    const [mine, other] = [connect(), connect("main", { retry: { min: 10, max: 30 } })];
    const lock = await mine.acquire(name);
    // Connected, and with the script known there: an attempt takes a small part of the wait.
    await (await other.acquire(key())).release();
    const began = Date.now();
    const waiting = other.acquire(name, { wait: 1_000 });
    const error = await rejects(waiting, redlatch.LockTimeoutError, { code: "LOCK_TIMEOUT" });
    within(Date.now() - began, 990, 4_000, "the time that it took, in ms,");
    matches(error.message, /1000/, "the message");
    ok(Number.isInteger(error.attempts) && error.attempts >= 2, `attempts: ${error.attempts}`);
    equal(await send("GET", `lock:${name}`), lock.token, "the key");
  },

  async "acquire with wait 0 is one attempt"({ connect, key, redlatch }) {
    const name = key();
    await connect().acquire(name);
    const waiting = connect().acquire(name, { wait: 0 });
    await rejects(waiting, redlatch.LockTimeoutError, { code: "LOCK_TIMEOUT", attempts: 1 });
  },

  async "fences grow across release, expiry and loss of every key"({ connect, key, send }) {
    const client = connect();
    const name = key();
    const fences = [];
    for (const upset of ["release", "expire", "flush", "release"]) {
      const lock = await client.acquire(name, { ttl: upset === "expire" ? 100 : 5_000 });
      fences.push(lock.fence);
      if (upset === "release") await lock.release();
      if (upset === "expire")
        await until(async () => (await send("EXISTS", `lock:${name}`)) === 0, "the end of the lease");
      if (upset === "flush") await send("FLUSHALL");
    }
    for (let at = 1; at < fences.length; at += 1) ok(fences[at] > fences[at - 1], fences.join(" < "));
  },

  async "no key of the package is ever without a time to live"({ connect, key, send }) {
    await send("FLUSHALL");
    const client = connect();
    const name = key();
    const locks = [await client.acquire([name, `${name}-2`]), await client.acquire(key(), { fair: true })];
    const waiting = client.acquire(locks[1].keys[0], { fair: true });
    await until(() => client.inspect().waiters.length === 1, "the waiter");
    await until(async () => (await send("KEYS", "*")).length >= 6, "keys of locks, fences and a queue");
    for (const each of await send("KEYS", "*")) ok((await send("PTTL", each)) !== -1, `${each} expires`);
    for (const lock of locks) await lock.release();
    await (await waiting).release();
    for (const each of await send("KEYS", "*")) ok((await send("PTTL", each)) !== -1, `${each} expires`);
  },

  async "the owner's token may be given, and is kept"({ connect, key, send }) {
    const name = key();
    const token = "job 17 / ünï";
    const lock = await connect().acquire(name, { token });
    equal(lock.token, token);
    matches(
      await send("GET", `lock:${name}`),
      new RegExp(`^${token} [0-9a-f]{16}:\\d+$`),
      "the key: the token and the claim",
    );
    const handle = JSON.parse(JSON.stringify(lock));
    equal(handle.token, token, "the handle's token");
    same(handle.keys, [name], "the handle's keys");
    equal(await lock.release(), "released");
  },

  async "512 locks at once over one connection"({ connect, key }) {
    const client = connect();
    const name = key();
    const locks = await Promise.all(Array.from({ length: 512 }, (_, at) => client.acquire(`${name}-${at}`)));
    equal(new Set(locks.map((lock) => lock.token)).size, 512, "tokens");
    ok(
      locks.every((lock) => lock.held),
      "all are held",
    );
    const outcomes = await Promise.all(locks.map((lock) => lock.release()));
    same([...new Set(outcomes)], ["released"], "the outcomes");
  },
};
