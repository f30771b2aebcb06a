// Renewal and loss: the holder learns of the end of its lease by its own clock, or from the server.
import { aborted, equal, matches, ok, rejects, renewed, until, within } from "./check.js";

const ENDED = /validity .* has ended/;
const NOT_OURS = /the server says .* no longer ours/;

/** That `lock` was lost, for a reason that matches `why`. */
function isLost(lock, { LockLostError }, why) {
  equal(lock.held, false, "held");
  equal(lock.remaining, 0, "remaining");
  const { reason } = lock.signal;
  ok(reason instanceof LockLostError, "the reason is a LockLostError");
  equal(reason.code, "LOCK_LOST");
  matches(reason.message, why, "the reason");
}

export const renewal = {
  async "rule 5: renewal keeps a lock beyond its lease, and stops with the release"({ connect, key, send }) {
    const [client, other] = [connect(), connect()];
    const name = key();
    const lock = await client.acquire(name, { ttl: 1_500, renew: true });
    const ends = Date.now() + 1_500;
    await renewed(client, 4, async () => {
      equal(await other.tryAcquire(name), null, "the other client's attempt");
      equal(lock.held, true, "held");
    });
    ok(Date.now() > ends, "the first lease is over");
    equal(await lock.release(), "released");
    equal(lock.signal.aborted, false, "aborted: a release is not a loss, so that this");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },

  async "a lock that is not renewed is lost before its lease ends on the server"({ connect, key, redlatch }) {
    const name = key();
    const began = Date.now();
    const lock = await connect("main", { drift: 0.5 }).acquire(name, { ttl: 3_000 });
    await aborted(lock.signal);
    within(Date.now() - began, 1_300, 2_900, "the loss, after half of the lease, in ms,");
    isLost(lock, redlatch, ENDED);
    equal(await lock.release(), "expired");
  },

  async "rule 5: a renewal that finds the key gone is a loss at once"({ connect, key, redlatch, send }) {
    const name = key();
    const client = connect();
    const lock = await client.acquire(name, { ttl: 1_500, renew: true });
    // By itself the lock would not end for a long time. Renewal goes on at a third of its own ttl.
    await lock.extend(60_000);
    await send("DEL", `lock:${name}`);
    await aborted(lock.signal);
    isLost(lock, redlatch, NOT_OURS);
    equal(await send("EXISTS", `lock:${name}`), 0, "keys that a renewal made");
  },

  async "rule 6: a silent server: the loss comes in time"({ connect, key, redlatch, turn }) {
    const lock = await connect("victim").acquire(key(), { ttl: 800, renew: true });
    await turn("victim", "pause");
    const began = Date.now();
    await aborted(lock.signal);
    // The lease was renewed at most just before the pause.
    ok(Date.now() - began < 3_000, `lost ${Date.now() - began} ms after the pause`);
    isLost(lock, redlatch, ENDED);
  },

  async "maxHold ends a renewed lock, and soon the key is free"({ connect, key, redlatch, send }) {
    const name = key();
    const began = Date.now();
    const lock = await connect().acquire(name, { ttl: 1_500, renew: true, maxHold: 2_000 });
    // By itself neither the lock nor the key would end for a long time.
    await lock.extend(60_000);
    await aborted(lock.signal, 8_000);
    within(Date.now() - began, 1_900, 5_500, "the loss after maxHold, in ms,");
    isLost(lock, redlatch, /maxHold/);
    await until(async () => (await send("EXISTS", `lock:${name}`)) === 0, "the end of the key");
  },

  async "a connection that breaks while a lock is held"({ connect, key, sendTo }) {
    const client = connect("victim");
    const lock = await client.acquire(key(), { ttl: 10_000 });
    await sendTo("victim", "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await sendTo("victim", "CLIENT", "KILL", "TYPE", "pubsub");
    await until(() => client.inspect().nodes[0].state !== "ready", "the end of the connection");
    equal(lock.held, true, "held");
    const extended = () =>
      lock.extend().then(
        () => true,
        () => false,
      );
    await until(extended, "the next connection");
    equal(lock.held, true, "held");
    equal(await lock.release(), "released");
  },

  async "renewals and losses are observed and counted"({ connect, key, send }) {
    const events = [];
    const client = connect("main", { observe: (event) => events.push(event) });
    const name = key();
    const lock = await client.acquire(name, { ttl: 1_500, renew: true });
    await renewed(client, 1);
    await send("DEL", `lock:${name}`);
    await aborted(lock.signal);
    const types = events.map(({ type }) => type);
    equal(types.filter((type) => type === "lost").length, 1, "events of a loss");
    ok(types.includes("renewed"), `a renewal is observed: ${types}`);
    equal(client.inspect().counters.lost, 1, "losses");
    await rejects(lock.extend(), lock.signal.reason.constructor, { code: "LOCK_LOST" });
  },
};
