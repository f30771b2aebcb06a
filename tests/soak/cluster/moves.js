// Moves a slot from one primary to another while clients use its keys.
import { until } from "../../js/support/conditions.js";

/**
 * Key by key. Resolves to true when all servers know. If something goes wrong, such as a server that changes its role meanwhile, the
 * move is given up: `givenUp` gets the problem at once, for the keys that were moved are out of reach then. The slot stays where
 * the cluster says.
 */
export async function moveSlot(cluster, slot, from, to, givenUp) {
  try {
    await cluster.beginMove(slot, from, to);
    while ((await cluster.moveKeys(slot, from, to, 1)).length > 0);
    await cluster.endMove(slot, to, [from]);
    await until(() => cluster.isKnown(slot, to), { within: 10_000, what: "the word of the slot's move" });
    return true;
  } catch (error) {
    givenUp(String(error));
    // First of all: a server that takes a slot for moving does not hear who has it.
    await cluster.cancelMove(slot);
    // Of the servers that speak: one that stands still may have to wait for this shard before it goes on.
    await cluster.untilAgreed(slot);
    return false;
  }
}
