// release() has three outcomes, is idempotent, and never throws for a lock that is gone.
import { equal, ok, rejects, same, until } from "./check.js";

export const release = {
  async "released: the key is gone, and every further call says the same"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name);
    same(await Promise.all([lock.release(), lock.release()]), ["released", "released"]);
    equal(await lock.release(), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
    equal(lock.held, false, "held");
  },

  async "expired: the lease ran out; no server is asked"({ connect, key, turn }) {
    const client = connect("victim");
    const lock = await client.acquire(key(), { ttl: 100 });
    await until(() => !lock.held, "the end of the lease");
    await turn("victim", "pause");
    equal(await lock.release(), "expired");
    equal(await lock.release(), "expired");
  },

  async "expired: the key was deleted on the server"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name);
    await send("DEL", `lock:${name}`);
    equal(await lock.release(), "expired");
  },

  async "rule 4: expired: another owner has the key, and keeps it"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name);
    await send("SET", `lock:${name}`, "another owner", "PX", 20_000);
    equal(await lock.release(), "expired");
    equal(await send("GET", `lock:${name}`), "another owner", "the key");
  },

  async "unknown: the server does not answer"({ connect, key, turn }) {
    for (const trouble of ["pause", "stop"]) {
      const lock = await connect("victim", { nodeTimeout: 500 }).acquire(key(), { ttl: 5_000 });
      await turn("victim", trouble);
      equal(await lock.release(), "unknown", `the outcome after ${trouble}`);
      equal(lock.held, false, "held");
      await turn("victim", "restore");
    }
  },

  async "rule 5: after release no time to live is ever set again, renewal or not"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name, { ttl: 1_500, renew: true });
    const extending = lock.extend(10_000).catch(() => {});
    equal(await lock.release(), "released");
    await extending;
    // Renewal would be due at 500 ms.
    for (const end = Date.now() + 800; Date.now() < end; ) equal(await send("EXISTS", `lock:${name}`), 0);
  },

  async "Symbol.asyncDispose releases, and never throws"({ connect, key, send }) {
    const name = key();
    const lock = await connect().acquire(name);
    equal(await lock[Symbol.asyncDispose](), undefined);
    equal(await send("EXISTS", `lock:${name}`), 0);
    equal(await lock[Symbol.asyncDispose](), undefined);
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
};
