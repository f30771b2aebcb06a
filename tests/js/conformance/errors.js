// Failures of servers, and the errors that report them.
import { equal, matches, ok, rejects, throws, until } from "./check.js";

export const errors = {
  async "a server that is down"({ connect, key, redlatch, addressOf }) {
    const began = Date.now();
    const error = await rejects(connect("down").tryAcquire(key()), redlatch.ConnectionError, {
      code: "LOCK_CONNECTION",
      node: addressOf("down"),
    });
    ok(error.message.includes(addressOf("down")), `it names the server: ${error.message}`);
    ok(Date.now() - began < 6_000, `it took ${Date.now() - began} ms`);
  },

  async "a server that crashes and comes back"({ connect, key, redlatch, turn }) {
    const client = connect("victim");
    const name = key();
    await (await client.acquire(name)).release();
    await turn("victim", "stop");
    await rejects(client.tryAcquire(name), redlatch.ConnectionError, { code: "LOCK_CONNECTION" });
    await turn("victim", "start");
    const lock = await until(() => client.tryAcquire(name).catch(() => null), "the reconnection");
    equal(await lock.release(), "released");
    ok(client.inspect().counters.reconnects >= 1, "the reconnection is counted");
  },

  async "a server that is silent"({ connect, key, redlatch, turn }) {
    const client = connect("victim", { nodeTimeout: 500 });
    await (await client.acquire(key())).release();
    await turn("victim", "pause");
    const began = Date.now();
    await rejects(client.tryAcquire(key()), redlatch.ConnectionError, {
      code: "LOCK_CONNECTION",
    });
    ok(Date.now() - began < 4_000, `it took ${Date.now() - began} ms`);
  },

  async "an error reply"({ connect, key, redlatch, send }) {
    const name = key();
    await send("LPUSH", `lock:${name}`, "not a lock");
    await send("PEXPIRE", `lock:${name}`, 60_000);
    await rejects(connect().tryAcquire(name), redlatch.ServerError, {
      code: "LOCK_SERVER",
      prefix: "WRONGTYPE",
    });
  },

  async "a wrong password is not shown"({ connect, key, redlatch, servers }) {
    const url = servers.main.replace("://", "://someone:hunter2@");
    const error = await rejects(connect("main", { url }).tryAcquire(key()), redlatch.ServerError, {
      prefix: "WRONGPASS",
    });
    for (let at = error; at instanceof Error; at = at.cause) {
      ok(!`${at.message} ${at.stack} ${JSON.stringify(at)}`.includes("hunter2"), "no password in the error");
    }
  },

  async "a script that the server has forgotten"({ connect, key, send }) {
    const client = connect();
    await (await client.acquire(key())).release();
    await send("SCRIPT", "FLUSH");
    const lock = await client.acquire(key());
    await send("SCRIPT", "FLUSH");
    equal(await lock.release(), "released");
  },

  async "bad options"({ connect, key, redlatch }) {
    const client = connect();
    throws(() => redlatch.createClient("http://127.0.0.1"), TypeError);
    throws(() => connect("main", { ttl: 50 }), RangeError);
    throws(() => connect("main", { tll: 5_000 }), TypeError);
    await rejects(client.acquire(""), RangeError);
    await rejects(client.acquire(7), TypeError);
    await rejects(client.acquire(key(), { ttl: 99 }), RangeError);
    await rejects(client.acquire(key(), { wait: -1 }), RangeError);
    const several = connect(["main", "a", "b"]);
    matches((await rejects(several.acquire(key(), { fair: true }), TypeError)).message, /order of arrival/);
  },

  async "TLS to a server with a good certificate, and not to one with the certificate of another host"({
    connect,
    key,
    redlatch,
  }) {
    const lock = await connect("tls").acquire(key());
    equal(await lock.release(), "released");
    const elsewhere = connect("tlsOfAnother").tryAcquire(key());
    await rejects(elsewhere, redlatch.ConnectionError, { code: "LOCK_CONNECTION" });
  },
};
