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
 * as dead after `downAfter` ms.
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
  } = {},
) {
  const start = (extra = {}, options = {}) =>
    startRedis(scope, {
      config: { "repl-diskless-sync-delay": 0, ...config, ...extra },
      password,
      rights,
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
  const watch = (password) => startRedis(scope, { password, rights: sentinelRights, sentinel: lines });
  const sentinels = await Promise.all(Array.from({ length: count }, () => watch(sentinelPassword)));
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

    /** Until all of these sentinels name a server other than `former`; resolves to it. */
    untilReplaced: (former, witnesses = sentinels) =>
      until(
        async () => {
          const named = await Promise.all(witnesses.map(group.namedBy));
          return named[0] !== former && named.every((server) => server === named[0]) && named[0];
        },
        { within: 30_000, what: "the word of the switch" },
      ),

    /** Until the sentinels could replace the master: they know each other, and the replicas have its data. */
    untilReady: () =>
      until(
        async () => {
          const role = (server) => server.send("INFO", "replication").catch(() => "");
          const roles = await Promise.all(servers.map(role));
          if (roles.filter((role) => /master_link_status:up/.test(role)).length !== replicas) return false;
          const states = await Promise.all(sentinels.map((each) => each.send("SENTINEL", "MASTER", MASTER)));
          const value = (state, name) => state[state.indexOf(name) + 1];
          return states.every(
            (state) =>
              value(state, "flags") === "master" &&
              Number(value(state, "num-other-sentinels")) === count - 1 &&
              Number(value(state, "num-slaves")) === replicas,
          );
        },
        { within: 30_000, what: "the sentinels" },
      ),

    /** Lets a sentinel replace the master, which goes on; resolves to the new one, once all know it. */
    async failOver(sentinel = sentinels[0]) {
      const former = await group.namedBy(sentinel);
      const isReplaced = async () => (await group.namedBy(sentinel)) !== former;
      // It refuses, or gives up, if it has not heard of a good replica yet.
      const replaces = async () => {
        await sentinel.send("SENTINEL", "FAILOVER", MASTER).catch(() => {});
        return until(isReplaced, { within: 5_000 }).catch(isReplaced);
      };
      await until(replaces, { within: 30_000, what: "the failover" });
      return group.untilReplaced(former);
    },

    /** Starts a server that was stopped: as configured, without its keys. */
    async restart(server) {
      const { port, folder } = server;
      const again = await start({}, { port, folder });
      servers[servers.indexOf(server)] = again;
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
