// A majority of three servers.
import { aborted, equal, ok, rejects, until } from "./kit.js";

const SERVERS = ["a", "b", "victim"];

/** With a server down, one no decides, before all have answered; it is then the majority that is missing. */
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
      // Two of three have said that it is released.
      await until(
        async () => (await sendTo(server, "EXISTS", `lock:${name}`)) === 0,
        `the release on ${server}`,
      );
    }
    ok(await other.tryAcquire(name), "the other has it now");
  },

  async "one of three may be down"({ connect, key, redlatch, turn }) {
    await turn("victim", "stop");
    const degraded = [];
    const observe = (event) => event.type === "degraded" && degraded.push(event.missing);
    const [mine, other] = [connect(SERVERS, { observe }), connect(SERVERS)];
    const name = key();
    const lock = await mine.acquire(name, { ttl: 5_000, renew: true });
    ok(await refused(other, name, redlatch), "the other does not get it");
    await lock.extend();
    equal(lock.held, true, "held");
    equal(await lock.release(), "released");
    equal(await (await other.acquire(name)).release(), "released");
    ok(degraded.includes(1), "the client tells of the server that is missing");
  },

  async "a majority that is lost is a lock that is lost, and says who voted how"({
    connect,
    key,
    redlatch,
    sendTo,
  }) {
    const client = connect(SERVERS);
    const name = key();
    const lock = await client.acquire(name, { ttl: 3_000, renew: true });
    for (const server of ["a", "b"]) {
      await sendTo(server, "SET", `lock:${name}`, "a stranger's", "PX", 60_000);
    }
    await aborted(lock.signal, 6_000);
    ok(lock.signal.reason.message.includes("no longer ours"), `${lock.signal.reason.message}`);
    const other = connect(["a", "b", "down"]);
    await sendTo("b", "DEL", `lock:${name}`);
    const error = await rejects(other.tryAcquire(name), redlatch.QuorumError, { code: "LOCK_QUORUM" });
    equal(error.votes.length, 3, "votes");
    equal(error.votes[0].outcome, "held", "the first vote");
    equal(error.votes[2].error.code, "LOCK_CONNECTION", "the last vote");
    await until(async () => (await sendTo("b", "EXISTS", `lock:${name}`)) === 0, "the end of what b granted");
  },

  async "fair is refused"({ connect, key }) {
    await rejects(connect(SERVERS).acquire(key(), { fair: true }), TypeError);
  },
};
