// What is done to servers that have replicas, whoever elects the next primary. Sentinels call it the master.
import { settles } from "../../js/support/conditions.js";
import { order } from "../order.js";
import { groupOf } from "./lanes.js";

/** Only one shard is without its primary at a time. */
const OUTAGE = "outage";
/** How long a failover may take on a busy machine, ms. */
const ELECTION = 60_000;

export const killConnections = (server) => order(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");

/**
 * `group`: of support/cluster.js or support/sentinels.js; `servers`: those with keys; `names` of all locks; `answersOf(server,
 * election)`: of excuses.js; `stateOf(redis)`: what a server says about the others; `spread(primary)`: lets clients hear of a failover
 * before the former primary goes on. Returns { actions, ifFree, serverOf, count, isSilent, counts }: actions by kind of fault, what
 * further actions need, whether a server is stopped, and what happened beside faults.
 */
export function actionsOn({
  group,
  servers,
  names,
  elections,
  turns,
  checker,
  note,
  answersOf,
  stateOf,
  spread,
}) {
  const silent = new Set();
  const waiting = new Set();
  const counts = {};
  const count = (what, more = 1) => {
    counts[what] = (counts[what] ?? 0) + more;
  };
  const serverOf = (redis) => servers.find((server) => server.redis === redis);

  /** Does `action` when shards are free. If the last one of its kind is still waiting for them, nothing is done. */
  const inTurn = (kind, names, action) => {
    if (waiting.has(kind)) return false;
    waiting.add(kind);
    return turns.take(names, () => {
      waiting.delete(kind);
      return action();
    });
  };
  const ifFree = (names, action) => (turns.isFree(...names) ? turns.take(names, action) : false);

  async function stop(server, lasts) {
    const resumed = elections.stopped(server.index);
    silent.add(server);
    group.pause(server.redis);
    try {
      await lasts();
    } finally {
      group.resume(server.redis);
      resumed();
      silent.delete(server);
    }
  }

  /** Lets `outage(primary, untilReplaced)` bring about the election of another server of the shard, and waits for all to be as before. */
  async function replace(kind, shard, outage) {
    const primary = serverOf(await group.untilMaster(shard));
    const over = elections.expect(shard, kind);
    const elected = elections.next(shard);
    const untilReplaced = async () => {
      await settles(elected, ELECTION, "the election");
      await group.untilMaster(shard);
    };
    note({ [kind]: primary.index });
    await outage(primary, untilReplaced);
    await group.untilUp().catch(async (error) => {
      for (const { index, redis } of servers) note({ index, state: await stateOf(redis) });
      throw error;
    });
    await group.untilReplicated(shard);
    over();
    countAnswers(primary, await elected);
  }

  function countAnswers(former, election) {
    const { before, after } = answersOf(former.index, election);
    count("answers of a former primary, before the client could know", before);
    count("answers of a former primary, after that", after);
  }

  const actions = {
    "primary killed": ({ shard }, lasts) =>
      inTurn("primary killed", [OUTAGE, shard], () =>
        replace("primary killed", shard, async ({ redis }, untilReplaced) => {
          await group.kill(redis);
          await untilReplaced();
          await lasts();
          await group.restart(redis);
        }),
      ),

    "primary stopped": (fault, lasts) =>
      inTurn("primary stopped", [OUTAGE, fault.shard], () =>
        replace("primary stopped", fault.shard, (primary, untilReplaced) =>
          stop(primary, async () => {
            await untilReplaced();
            if (fault.spread) await spread(primary);
            await lasts();
          }),
        ),
      ),

    "planned failover": ({ shard }) =>
      inTurn("planned failover", [shard], async () => {
        const former = serverOf(await group.untilMaster(shard));
        const over = elections.expect(shard, "planned failover");
        const elected = elections.next(shard);
        await group.failOver(shard);
        over();
        countAnswers(former, await settles(elected, ELECTION, "the election"));
      }),

    "server stopped": ({ server }, lasts) =>
      ifFree([servers[server].shard], () => stop(servers[server], lasts)),

    "scripts forgotten": ({ server }) =>
      ifFree([servers[server].shard], () => order(servers[server], "SCRIPT", "FLUSH")),

    "connections killed": ({ server }) =>
      ifFree([servers[server].shard], () => killConnections(servers[server])),

    "key deleted": ({ server, which }) =>
      ifFree([servers[server].shard], async () => {
        const primary = serverOf(await group.untilMaster(servers[server].shard));
        const held = [];
        for (const name of names) {
          const value = await order(primary, "GET", `lock:${name}`).catch(() => null);
          if (value) held.push(name);
        }
        if (held.length === 0) return false;
        const name = held[which % held.length];
        note({ deleted: name });
        const over = checker.losing(groupOf(name), name);
        await order(primary, "DEL", `lock:${name}`);
        over();
      }),
  };
  return { actions, ifFree, serverOf, count, isSilent: (server) => silent.has(server), counts };
}
