// Waiting: being woken, giving up, and standing in line.
import { equal, ok, rejects, same, until } from "./kit.js";

/** ms: so long that whoever is quicker has been woken. */
const RARELY = { min: 8_000, max: 9_000 };

/** Until the client knows that it has to wait: for as many locks as that. */
const waits = (client, locks = 1) =>
  until(() => client.inspect().counters.contended >= locks, "the first attempt");

const queueOf = (name) => `{lock:${name}}:redlatch:queue:lock:${name}`;

export const waiting = {
  async "a waiter is woken by the release"({ connect, key }) {
    const [mine, other] = [connect(), connect("main", { retry: RARELY, wait: 15_000 })];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 15_000 });
    const waiting = other.acquire(name);
    await waits(other);
    const began = Date.now();
    await lock.release();
    equal((await waiting).held, true);
    const took = Date.now() - began;
    ok(took < 4_000, `woken, not by a poll; it took ${took} ms`);
  },

  async "who has waited long enough is told so"({ connect, key, redlatch }) {
    const name = key();
    const [mine, other] = [connect(), connect()];
    await mine.acquire(name);
    // Connected, and with the script known there: an attempt takes a small part of the wait.
    await (await other.acquire(key())).release();
    const began = Date.now();
    const waiting = other.acquire(name, { wait: 1_000 });
    const error = await rejects(waiting, redlatch.LockTimeoutError, { code: "LOCK_TIMEOUT" });
    const took = Date.now() - began;
    ok(took >= 990 && took < 4_000, `after its wait; it took ${took} ms`);
    ok(error.attempts >= 1, "there were attempts");
  },

  async "an abort ends the wait with its reason, and leaves nothing behind"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const name = key();
    const lock = await mine.acquire(name);
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = other.acquire(name, { signal: controller.signal, fair: true });
    await until(async () => (await send("ZCARD", queueOf(name))) === 1, "the place in line");
    controller.abort(reason);
    equal(await waiting.catch((error) => error), reason, "the rejection");
    await until(async () => (await send("ZCARD", queueOf(name))) === 0, "the end of the place in line");
    await lock.release();
    equal(await send("EXISTS", `lock:${name}`), 0);
    equal(other.inspect().waiters.length, 0, "waiters");
  },

  async "the lock of a holder who has vanished passes on when its lease ends"({ connect, key, send }) {
    const name = key();
    const began = Date.now();
    await send("SET", `lock:${name}`, "a stranger's", "PX", 700);
    const lock = await connect().acquire(name);
    const took = Date.now() - began;
    ok(took >= 690 && took < 4_000, `after the lease; it took ${took} ms`);
    equal(lock.held, true);
  },

  async "fair waiters are served in the order in which they came"({ connect, key, send }) {
    const name = key();
    const clients = [connect(), connect()];
    const holder = await clients[0].acquire(name, { fair: true });
    const served = [];
    const turns = [];
    for (const place of [1, 2, 3, 4, 5]) {
      const turn = clients[place % 2].using(name, { fair: true }, () => served.push(place));
      turns.push(turn);
      await until(async () => (await send("ZCARD", queueOf(name))) === place, `place ${place}`);
    }
    await holder.release();
    await Promise.all(turns);
    same(served, [1, 2, 3, 4, 5], "the order");
  },

  async "a hundred who wait in one client are all served"({ connect, key }) {
    const client = connect("main", { wait: 15_000 });
    const name = key();
    const holder = await client.acquire(name);
    let served = 0;
    const turns = Array.from({ length: 100 }, () => client.using(name, () => (served += 1)));
    await waits(client, 100);
    await holder.release();
    await Promise.all(turns);
    equal(served, 100);
  },
};
