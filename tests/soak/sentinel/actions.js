// What is done to a master and its sentinels beside failovers: sentinels are stopped and killed.
import { actionsOn } from "../replicated/actions.js";

/** One sentinel at a time: the two others are enough to replace the master. */
const SENTINEL = "sentinel";

/** As `actionsOn` of replicated/actions.js. */
export function actionsOnSentinels({ group, ...world }) {
  const common = actionsOn({
    group: {
      ...group,
      untilUp: group.untilReady,
      untilReplicated: async () => {},
      // Until the former master is a replica.
      async failOver() {
        await group.failOver();
        await group.untilReady();
      },
    },
    stateOf: (redis) => redis.send("INFO", "replication"),
    // Sentinels announce it to all clients.
    spread: async () => {},
    ...world,
  });
  const actions = {
    ...common.actions,
    "sentinel stopped": ({ sentinel }, lasts) =>
      common.ifFree([SENTINEL], async () => {
        const stopped = group.sentinels[sentinel];
        group.pause(stopped);
        await lasts();
        group.resume(stopped);
      }),
    "sentinel killed": ({ sentinel }, lasts) =>
      common.ifFree([SENTINEL], async () => {
        const killed = group.sentinels[sentinel];
        await group.kill(killed);
        await lasts();
        await group.restart(killed);
      }),
  };
  return { ...common, actions };
}
