// A majority of three servers.
import { aborted, equal, ok, rejects, until } from "./check.js";

const SERVERS = ["a", "b", "victim"];

/** With one server down, another's denial decides before all have answered; the error is then that there is no majority. */
const refused = (client, name, { QuorumError }) =>
  client.tryAcquire(name).then(
    (lock) => lock === null,
    (error) => error instanceof QuorumError,
  );

export const redlock = {
  async "a majority excludes others, and there is no fence"({ connect, key, sendTo }) {
    const [mine, other] = [connect(SERVERS), connect(SERVERS)];
    const name = key();
    const lock = await mine.acquire(name);
    equal(lock.fence, null, "the fence");
    equal(await other.tryAcquire(name), null);
    equal(await lock.release(), "released");
    for (const server of SERVERS) {
      // release() has waited for two of three.
      await until(
        async () => (await sendTo(server, "EXISTS", `lock:${name}`)) === 0,
        `the release on ${server}`,
      );
    }
    ok(await other.tryAcquire(name), "the other client has the lock now");
  },

  async "one of three may be down"({ connect, key, redlatch, turn }) {
    await turn("victim", "stop");
    const degraded = [];
    const observe = (event) => event.type === "degraded" && degraded.push(event.missing);
    const [mine, other] = [connect(SERVERS, { observe }), connect(SERVERS)];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 5_000, renew: true });
    ok(await refused(other, name, redlatch), "the other client does not get the lock");
    await lock.extend();
    equal(lock.held, true, "held");
    equal(await lock.release(), "released");
    equal(await (await other.acquire(name)).release(), "released");
    ok(degraded.includes(1), "the client reports the server that is missing");
  },

  async "a lost majority is a lost lock, and the error has each vote"({ connect, key, redlatch, sendTo }) {
    const client = connect(SERVERS);
    const name = key();
    const lock = await client.acquire(name, { ttl: 3_000, renew: true });
    // The third server too: a grant that has not arrived yet does not count when one of the others is lost.
    for (const server of SERVERS) {
      await until(
        async () => (await sendTo(server, "GET", `lock:${name}`)) === lock.token,
        `the grant by ${server}`,
      );
    }
    for (const server of ["a", "b"]) {
      await sendTo(server, "SET", `lock:${name}`, "another owner", "PX", 60_000);
    }
    await aborted(lock.signal, 6_000);
    ok(lock.signal.reason.message.includes("no longer ours"), `${lock.signal.reason.message}`);
    const other = connect(["a", "b", "down"]);
    await sendTo("b", "DEL", `lock:${name}`);
    const error = await rejects(other.tryAcquire(name), redlatch.QuorumError, { code: "LOCK_QUORUM" });
    equal(error.votes.length, 3, "votes");
    equal(error.votes[0].outcome, "held", "the first vote");
    equal(error.votes[2].error.code, "LOCK_CONNECTION", "the last vote");
    await until(async () => (await sendTo("b", "EXISTS", `lock:${name}`)) === 0, "the clean-up on b");
  },
};
