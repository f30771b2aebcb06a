// Names of keys, prefixes, and locks on several keys.
import { equal, ok, pause, same } from "./check.js";

const WELL_FORMED = [
  "{",
  "}",
  "{}",
  "}{",
  "{a}",
  "{a}b",
  "a}",
  "a\0b",
  "a\0",
  " ",
  "\r\n",
  "line\r\nbreak",
].concat(["ключ", "🔒", "e\u0301", "\u00e9", "\ufffd", "x".repeat(65_536), "lock:a", ":"]);
/** Half of a surrogate pair is no character, yet a name of its own. */
const NAMES = [...WELL_FORMED, "\ud800", "\ud801"];

export const keys = {
  async "names of any shape are distinct locks"({ connect, key, send }) {
    const client = connect("main", { prefix: `${key()}:` });
    const locks = [];
    for (const name of NAMES) {
      const lock = await client.tryAcquire(name);
      ok(lock !== null, `${JSON.stringify(name).slice(0, 20)} is a lock of its own`);
      equal(await client.tryAcquire(name), null);
      locks.push(lock);
    }
    for (const lock of locks) equal(await lock.release(), "released");
    const bare = connect("main", { prefix: "" });
    for (const name of WELL_FORMED) {
      const lock = await bare.acquire(name);
      equal(await send("GET", name), lock.token, "the key on the server");
      equal(await lock.release(), "released");
    }
  },

  async "a prefix of the client's own, and none"({ connect, key, send }) {
    const name = key();
    for (const prefix of ["app:locks:", ""]) {
      const lock = await connect("main", { prefix }).acquire(name);
      equal(await send("GET", prefix + name), lock.token);
      equal(await lock.release(), "released");
    }
  },

  async "several keys are taken all or none, and duplicates count once"({ connect, key, send }) {
    const [mine, other] = [connect(), connect()];
    const [a, b, c] = [key("a"), key("b"), key("c")];
    const pair = await mine.acquire([a, b, a]);
    same([...new Set(pair.keys)].sort(), [a, b].sort());
    equal(await other.tryAcquire([c, b]), null);
    equal(await send("EXISTS", `lock:${c}`), 0, "the key that was free");
    equal(await pair.release(), "released");
    const next = await other.tryAcquire([c, b]);
    equal(await send("EXISTS", `lock:${b}`, `lock:${c}`), 2);
    equal(await next.release(), "released");
    equal(await send("EXISTS", `lock:${a}`, `lock:${b}`, `lock:${c}`), 0);
  },

  async "two clients that take two keys in opposite order do not deadlock"({ connect, key }) {
    const [a, b] = [key("a"), key("b")];
    const dine = async (forks) => {
      const client = connect("main", { retry: { min: 1, max: 10 } });
      for (let meal = 0; meal < 10; meal += 1) await client.using(forks, () => pause(1));
    };
    await Promise.all([dine([a, b]), dine([b, a])]);
  },
};
