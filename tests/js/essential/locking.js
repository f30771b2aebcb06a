// A lock is had by one at a time.
import { equal, ok, pause, same } from "./kit.js";

export const locking = {
  async "a lock keeps others out until it is released"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 20_000 });
    same(lock.keys, [name]);
    ok(lock.held && lock.remaining > 15_000 && lock.remaining <= 20_000, "it is held for its ttl");
    equal(await send("GET", `lock:${name}`), lock.token, "the key on the server");
    const left = await send("PTTL", `lock:${name}`);
    ok(left > 15_000 && left <= 20_000, "the key expires");
    equal(await other.tryAcquire(name), null, "the other's try");
    equal(await lock.release(), "released");
    equal(lock.held, false, "held after the release");
    equal(await send("EXISTS", `lock:${name}`), 0);
    const next = await other.tryAcquire(name);
    ok(next.fence > lock.fence, "the next fence is greater");
    ok(next.token !== lock.token, "every lock has a token of its own");
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

  async "names may be anything"({ connect, send }) {
    const client = connect("main", { prefix: "" });
    for (const name of ["{a}b", "}{", "line\r\nbreak", "nul\0", "🔒 ключ", "x".repeat(10_000)]) {
      const lock = await client.acquire(name);
      equal(await send("GET", name), lock.token);
      equal(await lock.release(), "released");
    }
  },

  async "several keys are taken all or none"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const [a, b, c] = [key("a"), key("b"), key("c")];
    const held = await mine.acquire([a, b]);
    equal(await other.tryAcquire([b, c]), null);
    equal(await send("EXISTS", `lock:${c}`), 0, "the key that was free");
    equal(await held.release(), "released");
    const next = await other.tryAcquire([b, c]);
    equal(await send("EXISTS", `lock:${b}`, `lock:${c}`), 2);
    equal(await next.release(), "released");
  },

  async "two who take two keys in opposite order do not block each other for ever"({ connect, key }) {
    const [a, b] = [key("a"), key("b")];
    const dine = async (forks) => {
      const client = connect("main", { retry: { min: 1, max: 10 } });
      for (let meal = 0; meal < 10; meal += 1) await client.using(forks, () => pause(1));
    };
    await Promise.all([dine([a, b]), dine([b, a])]);
  },

  async "whoever has the token enters again, and the last release frees the lock"({ connect, key, send }) {
    const client = connect();
    const name = key();
    const outer = await client.acquire(name, { token: "mine" });
    const inner = await client.acquire(name, { token: "mine" });
    equal(inner.fence, outer.fence, "the fence");
    await inner.release();
    equal(outer.held, true, "held after the inner release");
    equal(await send("EXISTS", `lock:${name}`), 1);
    equal(await outer.release(), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },
};
