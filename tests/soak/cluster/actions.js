// What is done to a cluster beside failovers: slots are moved.
import { now } from "../host-time.js";
import { actionsOn, killConnections } from "../replicated/actions.js";
import { groupOf } from "../replicated/lanes.js";
import { moveSlot } from "./moves.js";

/** As `actionsOn` of replicated/actions.js; `cluster`: of support/cluster.js; `slots` by name of a lock. */
export function actionsInCluster({ cluster, slots, servers, turns, checker, note, ...more }) {
  const names = [...slots.keys()];
  const shards = [...Array(servers.length / 2).keys()];

  /** Clients ask for the map once they have lost a connection to another primary. */
  async function spread({ shard }) {
    const next = (shard + 1) % shards.length;
    await turns.take([next], async () => killConnections(common.serverOf(await cluster.untilMaster(next))));
  }

  const stateOf = (redis) => redis.send("CLUSTER", "NODES");
  const world = { servers, names, turns, checker, note, stateOf, spread, ...more };
  const common = actionsOn({ group: cluster, ...world });
  const { serverOf, count } = common;

  /** Of the slots of locks, one whose shard is free goes to another that is free: `lot` says which. */
  async function slotMoved({ lot }) {
    const free = shards.filter((shard) => turns.isFree(shard));
    if (free.length < 2) return false;
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
  }

  return { ...common, actions: { ...common.actions, "slot moved": slotMoved } };
}
