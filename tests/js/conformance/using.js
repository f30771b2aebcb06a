// using(): acquires, renews while the body runs, releases however it ends.
import { aborted, equal, matches, pause, rejects, renewed } from "./check.js";

const failed = (promise) =>
  promise.then(
    () => undefined,
    (error) => error,
  );

export const using = {
  async "using resolves to what the body returns, and has released by then"({ connect, key, send }) {
    const client = connect();
    const name = key();
    const result = await client.using(name, async (lock) => {
      equal(lock.held, true, "held");
      equal(await send("EXISTS", `lock:${name}`), 1);
      return { fence: lock.fence };
    });
    equal(typeof result.fence, "bigint");
    equal(await send("EXISTS", `lock:${name}`), 0);
    equal(
      await client.using(name, { ttl: 1_000 }, () => 5),
      5,
      "with options, and a body that is not async:",
    );
    equal(await client.using([name, `${name}-2`], ({ keys }) => keys.length), 2);
  },

  async "using renews by default: a body longer than the lease keeps the lock"({ connect, key, send }) {
    const name = key();
    const client = connect();
    await client.using(name, { ttl: 1_500 }, (lock) =>
      renewed(client, 4, async () => {
        equal(await send("GET", `lock:${name}`), lock.token, "the key");
        equal(lock.held, true, "held");
      }),
    );
    equal(await send("EXISTS", `lock:${name}`), 0);
  },

  async "using respects renew: false; the body hears of the loss, and so does the caller"({
    connect,
    key,
    redlatch,
  }) {
    const name = key();
    const losing = connect().using(name, { ttl: 150, renew: false }, async (lock) => {
      await aborted(lock.signal);
      return lock.signal.reason;
    });
    const error = await rejects(losing, redlatch.LockLostError, { code: "LOCK_LOST" });
    equal(error.result, error, "the result is the reason that the body returned; and the error");
    equal(error.keys.join(), name, "the keys");
    matches(error.message, /validity .* has ended/, "the reason");
  },

  async "the body's error comes through, thrown or rejected, and the lock is released"({
    connect,
    key,
    send,
  }) {
    const client = connect();
    const name = key();
    const wrong = new Error("the work failed");
    const bodies = [
      () => Promise.reject(wrong),
      () => {
        throw wrong;
      },
      async () => {
        await send("DEL", `lock:${name}`);
        throw wrong;
      },
    ];
    for (const body of bodies) {
      equal(await failed(client.using(name, body)), wrong, "the error");
      equal(await send("EXISTS", `lock:${name}`), 0);
    }
  },

  async "the body's error and the body's result win over a failing release"({ connect, key, turn }) {
    const wrong = new Error("the work failed");
    const options = { nodeTimeout: 300 };
    const error = await failed(
      connect("victim", options).using(key(), { ttl: 1_000 }, async () => {
        await turn("victim", "stop");
        throw wrong;
      }),
    );
    equal(error, wrong, "the error");
    await turn("victim", "restore");
    const result = await connect("victim", options).using(key(), { ttl: 1_000 }, async () => {
      await turn("victim", "stop");
      return "done";
    });
    equal(result, "done");
  },

  async "using does not run its body without the lock"({ connect, key, redlatch }) {
    const name = key();
    const lock = await connect().acquire(name);
    const other = connect();
    equal(await other.tryAcquire(name), null, "another client holds it");
    let ran = false;
    // This client is connected, so that its wait is for the lock alone.
    const refused = other.using(name, { wait: 100 }, () => (ran = true));
    await rejects(refused, redlatch.LockTimeoutError, { code: "LOCK_TIMEOUT" });
    equal(ran, false, "the body ran");
    await lock.release();
  },

  async "bodies of one key never overlap"({ connect, key }) {
    const name = key();
    const clients = [1, 2, 3].map(() => connect("main", { retry: { min: 1, max: 10 }, wait: 15_000 }));
    let [inside, runs] = [0, 0];
    const body = async () => {
      inside += 1;
      equal(inside, 1, "bodies at once");
      await pause(1);
      inside -= 1;
      runs += 1;
    };
    await Promise.all(Array.from({ length: 24 }, (_, at) => clients[at % 3].using(name, body)));
    equal(runs, 24, "bodies that ran");
  },

  async "a body that releases by itself is no error"({ connect, key, send }) {
    const name = key();
    equal(await connect().using(name, (lock) => lock.release()), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },
};
