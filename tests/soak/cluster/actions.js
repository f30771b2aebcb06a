// What is done to the servers of a cluster.
import { settles } from "../../js/support/conditions.js";
import { now } from "../host-time.js";
import { order } from "../order.js";
import { groupOf } from "./lanes.js";
import { moveSlot } from "./moves.js";

/** Only one shard is without its primary at a time: the two others elect the next. */
const OUTAGE = "outage";
/** How long a failover may take on a busy machine, ms. */
const ELECTION = 30_000;

const killConnections = (server) => order(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");

/**
 * `cluster`: of support/cluster.js; `slots` by name of a lock; `answersOf(server, election)`: of excuses.js. Returns { actions, isSilent,
 * counts }: actions by kind of fault, whether a server is stopped, and what happened beside faults.
 */
export function actionsOn({ cluster, servers, slots, elections, turns, checker, note, answersOf }) {
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
    cluster.pause(server.redis);
    try {
      await lasts();
    } finally {
      cluster.resume(server.redis);
      resumed();
      silent.delete(server);
    }
  }

  /** Lets `outage(primary, untilReplaced)` bring about the election of the other server of the shard. */
  function replace(kind, { shard }, outage) {
    return inTurn(kind, [OUTAGE, shard], async () => {
      const primary = serverOf(await cluster.untilMaster(shard));
      const over = elections.expect(shard, kind);
      const elected = elections.next(shard);
      const untilReplaced = async () => {
        await settles(elected, ELECTION, "the election");
        await cluster.untilMaster(shard);
      };
      note({ [kind]: primary.index });
      await outage(primary, untilReplaced);
      await cluster.untilUp().catch(async (error) => {
        for (const { index, redis } of servers) note({ index, nodes: await redis.send("CLUSTER", "NODES") });
        throw error;
      });
      await cluster.untilReplicated(shard);
      over();
      return { primary, election: await elected };
    });
  }

  /** Clients ask for the map once they have lost a connection to another primary. */
  async function spreadTheWord({ shard }) {
    const next = (shard + 1) % (servers.length / 2);
    await turns.take([next], async () => killConnections(serverOf(await cluster.untilMaster(next))));
  }

  const actions = {
    "primary killed": (fault, lasts) =>
      replace("primary killed", fault, async ({ redis }, untilReplaced) => {
        await cluster.kill(redis);
        await untilReplaced();
        await lasts();
        await cluster.restart(redis);
      }),

    async "primary stopped"(fault, lasts) {
      const replaced = await replace("primary stopped", fault, (primary, untilReplaced) =>
        stop(primary, async () => {
          await untilReplaced();
          if (fault.spread) await spreadTheWord(primary);
          await lasts();
        }),
      );
      if (replaced === false) return false;
      const { before, after } = answersOf(replaced.primary.index, replaced.election);
      count("answers of a former primary, before the client could know", before);
      count("answers of a former primary, after that", after);
      return true;
    },

    "planned failover": ({ shard }) =>
      inTurn("planned failover", [shard], async () => {
        const over = elections.expect(shard, "planned failover");
        await cluster.failOver(shard);
        over();
      }),

    /** Of the slots of locks, one whose shard is free goes to another that is free: `lot` says which. */
    async "slot moved"({ lot }) {
      const free = [...Array(servers.length / 2).keys()].filter((shard) => turns.isFree(shard));
      if (free.length < 2) return false;
      const names = [...slots.keys()];
      const rotated = [...names.slice(lot % names.length), ...names.slice(0, lot % names.length)];
      for (const name of rotated) {
        const from = serverOf(await cluster.ownerOf(`lock:${name}`));
        // For a moment during a failover, a server may not know who has a slot.
        if (from === undefined) continue;
        const target = free.filter((shard) => shard !== from.shard).at(lot % (free.length - 1));
        if (!turns.isFree(from.shard, target)) continue;
        const slot = slots.get(name);
        return turns.take([from.shard, target], async () => {
          const to = serverOf(await cluster.untilMaster(target));
          note({ moves: slot, from: from.index, to: to.index });
          const began = now();
          return moveSlot(cluster, slot, from.redis, to.redis, (problem) => {
            count("slot move interrupted");
            note({ interrupted: slot, problem });
            for (const [lock, at] of slots)
              if (at === slot) checker.losing(groupOf(lock), lock, { from: began })();
          });
        });
      }
      return false;
    },

    "server stopped": ({ server }, lasts) =>
      ifFree([servers[server].shard], () => stop(servers[server], lasts)),

    "scripts forgotten": ({ server }) =>
      ifFree([servers[server].shard], () => order(servers[server], "SCRIPT", "FLUSH")),

    "connections killed": ({ server }) =>
      ifFree([servers[server].shard], () => killConnections(servers[server])),

    "key deleted": ({ server, which }) =>
      ifFree([servers[server].shard], async () => {
        const primary = serverOf(await cluster.untilMaster(servers[server].shard));
        const names = [];
        for (const name of slots.keys()) {
          const value = await order(primary, "GET", `lock:${name}`).catch(() => null);
          if (value) names.push(name);
        }
        if (names.length === 0) return false;
        const name = names[which % names.length];
        note({ deleted: name });
        const over = checker.losing(groupOf(name), name);
        await order(primary, "DEL", `lock:${name}`);
        over();
      }),
  };
  return { actions, isSilent: (server) => silent.has(server), counts };
}
