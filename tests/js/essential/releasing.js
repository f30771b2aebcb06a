// Letting go: outcomes, handing over, closing.
import { equal, ok, rejects, until } from "./kit.js";

export const releasing = {
  async "a release is idempotent, and tells of a lock that was not ours any more"({ connect, key, send }) {
    const client = connect();
    const [first, second] = [key(), key()];
    const lock = await client.acquire(first);
    const outcomes = await Promise.all([lock.release(), lock.release()]);
    equal(outcomes.join(), "released,released");
    equal(await lock.release(), "released");
    const taken = await client.acquire(second);
    await send("SET", `lock:${second}`, "a stranger's", "PX", 20_000);
    equal(await taken.release(), "expired");
    equal(await send("GET", `lock:${second}`), "a stranger's", "the stranger's lock");
  },

  async "a release without an answer is unknown, and throws nothing"({ connect, key, turn }) {
    const lock = await connect("victim", { nodeTimeout: 500 }).acquire(key(), { ttl: 5_000 });
    await turn("victim", "stop");
    equal(await lock.release(), "unknown");
    equal(lock.held, false, "held");
  },

  async "a lock is handed over as JSON"({ connect, key, redlatch, send }) {
    const [mine, heir] = [connect(), connect()];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 10_000 });
    const adopted = await heir.adopt(JSON.parse(JSON.stringify(lock)), { ttl: 20_000 });
    equal(adopted.fence, lock.fence, "the fence");
    ok((await send("PTTL", `lock:${name}`)) > 15_000, "the lease was extended");
    equal(await adopted.release(), "released");
    await rejects(heir.adopt(lock.toJSON()), redlatch.LockLostError, { code: "LOCK_LOST" });
  },

  async "close releases what is held and refuses what waits"({ connect, key, redlatch, send }) {
    const [client, other] = [connect(), connect()];
    const [name, taken] = [key(), key()];
    const lock = await client.acquire(name);
    await other.acquire(taken);
    const waiting = rejects(client.acquire(taken), redlatch.ClosedError, { code: "LOCK_CLOSED" });
    await until(() => client.inspect().counters.contended === 1, "the first attempt");
    await client.close();
    await waiting;
    equal(await send("EXISTS", `lock:${name}`), 0, "the key");
    ok(lock.signal.reason instanceof redlatch.LockLostError, "the holder is told");
    await rejects(client.acquire(name), redlatch.ClosedError, { code: "LOCK_CLOSED" });
    await client.close();
  },
};
