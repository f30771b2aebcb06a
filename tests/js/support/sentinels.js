// A real master with its replicas and sentinels on loopback.
import { until } from "./conditions.js";
import { ADMIN } from "./raw-client.js";
import { startRedis } from "./redis.js";
import { NEEDED_OF_SENTINEL } from "./rights.js";

/** The name by which the sentinels know the master. */
export const MASTER = "mymaster";

/**
 * Starts a master, `replicas` of it and `sentinels`, which know each other when this resolves. `config`, `password` and
 * `rights` are as for {@link startRedis}, for the servers with keys; `sentinelPassword` is that of the sentinels. A server counts
 * as dead after `downAfter` ms. `lasting` is as there, for all; `periods`: how often sentinels do what, as for SENTINEL DEBUG, which
 * Redis has since 7.0.
 */
export async function startSentinels(
  scope,
  {
    replicas = 1,
    sentinels: count = 3,
    config = {},
    password,
    rights,
    sentinelPassword,
    sentinelRights = NEEDED_OF_SENTINEL,
    downAfter = 1_000,
    lasting = false,
    periods = {},
  } = {},
) {
  const start = (extra = {}, options = {}) =>
    startRedis(scope, {
      config: { "repl-diskless-sync-delay": 0, ...config, ...extra },
      password,
      rights,
      lasting,
      ...options,
    });
  const first = await start();
  const servers = [first];
  for (let number = 0; number < replicas; number += 1) {
    servers.push(await start({ replicaof: ["127.0.0.1", first.port] }));
  }
  for (const replica of servers.slice(1)) await untilLinked(replica);
  const lines = [
    `sentinel monitor ${MASTER} 127.0.0.1 ${first.port} ${Math.floor(count / 2) + 1}`,
    `sentinel auth-user ${MASTER} ${ADMIN.user}`,
    `sentinel auth-pass ${MASTER} ${ADMIN.password}`,
    `sentinel down-after-milliseconds ${MASTER} ${downAfter}`,
    `sentinel failover-timeout ${MASTER} 6000`,
    // They log in to each other.
    `sentinel sentinel-user ${ADMIN.user}`,
    `sentinel sentinel-pass ${ADMIN.password}`,
  ];
  const watch = async (options = {}) => {
    const own = { password: sentinelPassword, rights: sentinelRights, sentinel: lines, lasting };
    const sentinel = await startRedis(scope, { ...own, ...options });
    const words = Object.entries(periods).flat();
    if (words.length > 0) await sentinel.send("SENTINEL", "DEBUG", ...words);
    return sentinel;
  };
  const sentinels = await Promise.all(Array.from({ length: count }, () => watch()));
  /** Those that were stopped by methods of the group. */
  const silent = new Set();
  const speaking = () => sentinels.filter((sentinel) => !silent.has(sentinel));
  const group = {
    /** Those with keys; the first one began as the master. */
    servers,
    sentinels,
    /** The client's option. */
    option: { name: MASTER, sentinels: sentinels.map(({ url }) => url) },

    /** The server that a sentinel names. */
    async namedBy(sentinel) {
      const [, port] = await sentinel.send("SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER);
      return servers.find((server) => server.port === Number(port));
    },

    /** Until all sentinels that speak name the same server, which speaks too; resolves to it. */
    async untilMaster() {
      const agreed = async () => {
        const [first, ...others] = await Promise.all(speaking().map(group.namedBy)).catch(() => []);
        return !silent.has(first) && others.every((server) => server === first) && first;
      };
      return until(agreed, { within: 60_000, what: "the sentinels' master" });
    },

    /** Until all of these sentinels name a server other than `former`; resolves to it. */
    untilReplaced: (former, witnesses = sentinels) =>
      until(
        async () => {
          const named = await Promise.all(witnesses.map(group.namedBy));
          return named[0] !== former && named.every((server) => server === named[0]) && named[0];
        },
        { within: 30_000, what: "the word of the switch" },
      ),

    /** Until the sentinels that speak could replace the master: they know each other, and the replicas have its data. */
    untilReady() {
      const isReady = async () => {
        const roles = await Promise.all(servers.map((server) => server.send("INFO", "replication")));
        if (roles.filter((role) => /master_link_status:up/.test(role)).length !== replicas) return false;
        const states = await Promise.all(speaking().map((each) => each.send("SENTINEL", "MASTER", MASTER)));
        const value = (state, name) => state[state.indexOf(name) + 1];
        return states.every(
          (state) =>
            value(state, "flags") === "master" &&
            Number(value(state, "num-other-sentinels")) === count - 1 &&
            Number(value(state, "num-slaves")) === replicas,
        );
      };
      // Sentinels end connections to a server that they make a replica.
      return until(() => isReady().catch(() => false), { within: 60_000, what: "the sentinels" });
    },

    /** Lets a sentinel replace the master, which goes on; resolves to the new one, once all that speak know it. */
    async failOver() {
      const former = await group.untilMaster();
      const isReplaced = async () => (await group.untilMaster()) !== former;
      // It refuses, or gives up, if it has not heard of a good replica yet.
      const replaces = async () => {
        await speaking()[0]
          .send("SENTINEL", "FAILOVER", MASTER)
          .catch(() => {});
        return until(isReplaced, { within: 5_000 }).catch(isReplaced);
      };
      await until(replaces, { within: 60_000, what: "the failover" });
      return group.untilMaster();
    },

    /** Kills a server or a sentinel. */
    async kill(server) {
      silent.add(server);
      await server.stop();
    },

    /** Stops it, so that it goes on later with all that it has got meanwhile. */
    pause(server) {
      silent.add(server);
      server.pause();
    },

    resume(server) {
      server.resume();
      silent.delete(server);
    },

    /** Starts again what was killed: a server as configured, without its keys; a sentinel with what it knows. */
    async restart(server) {
      const { port, folder } = server;
      const isSentinel = sentinels.includes(server);
      const again = await (isSentinel ? watch({ port, folder }) : start({}, { port, folder }));
      const list = isSentinel ? sentinels : servers;
      list[list.indexOf(server)] = again;
      silent.delete(server);
      return again;
    },
  };
  await group.untilReady();
  return group;
}

const untilLinked = (replica) =>
  until(async () => /master_link_status:up/.test(await replica.send("INFO", "replication")), {
    within: 30_000,
    what: "the replica's connection",
  });
