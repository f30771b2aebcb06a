// Waiting for a lock: wake-ups, fair queues, and aborts.
import { equal, ok, same, until } from "./check.js";

/** ms: so long that a waiter that has the lock earlier has been woken. */
const RARELY = { min: 8_000, max: 9_000 };

/** Until the client knows that it has to wait for that many locks. */
const waits = (client, locks = 1) =>
  until(() => client.inspect().counters.contended >= locks, "the first attempt");

/** The key of the fair queue for a key without braces. */
const queueOf = (name) => `lock:redlatch:queue:{lock:${name}}`;

export const wait = {
  async "a waiter is woken by the release"({ connect, key }) {
    for (const fair of [false, true]) {
      const [mine, other] = [connect(), connect("main", { retry: RARELY, wait: 15_000 })];
      const name = key();
      const lock = await mine.acquire(name, { ttl: 15_000, fair });
      const waiting = other.acquire(name, { fair });
      await waits(other);
      const began = Date.now();
      await lock.release();
      equal((await waiting).held, true);
      const took = Date.now() - began;
      ok(took < 4_000, `woken before its next poll; it took ${took} ms (fair: ${fair})`);
    }
  },

  async "an abort ends the wait with its reason, and leaves nothing behind"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const name = key();
    const lock = await mine.acquire(name);
    const controller = new AbortController();
    const reason = new Error("enough");
    const waiting = other.acquire(name, { signal: controller.signal, fair: true });
    await until(async () => (await send("ZCARD", queueOf(name))) === 1, "the waiter in the queue");
    controller.abort(reason);
    equal(await waiting.catch((error) => error), reason, "the rejection");
    await until(async () => (await send("ZCARD", queueOf(name))) === 0, "the end of its position");
    await lock.release();
    equal(await send("EXISTS", `lock:${name}`), 0);
    equal(other.inspect().waiters.length, 0, "waiters");
  },

  async "fair waiters are served in order of arrival"({ connect, key, send }) {
    const name = key();
    const clients = [connect(), connect()];
    const holder = await clients[0].acquire(name, { fair: true });
    const served = [];
    const turns = [];
    for (const position of [1, 2, 3, 4, 5]) {
      const turn = clients[position % 2].using(name, { fair: true }, () => served.push(position));
      turns.push(turn);
      await until(async () => (await send("ZCARD", queueOf(name))) === position, `waiter ${position}`);
    }
    await holder.release();
    await Promise.all(turns);
    same(served, [1, 2, 3, 4, 5], "the order");
  },

  async "a hundred waiters of one client are all served"({ connect, key }) {
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
