// Moves a slot from one primary to another while clients use its keys.
import { until } from "../../js/support/conditions.js";

/**
 * Key by key. Resolves when all servers know; or with what went wrong, such as a server that changed its role meanwhile: then the
 * move was given up, and the slot is where the cluster says.
 */
export async function moveSlot(cluster, slot, from, to) {
  try {
    await cluster.beginMove(slot, from, to);
    while ((await cluster.moveKeys(slot, from, to, 1)).length > 0);
    await cluster.endMove(slot, to, [from]);
    await until(() => cluster.isKnown(slot, to), { within: 10_000, what: "the word of the slot's move" });
    return undefined;
  } catch (error) {
    // First of all: a server that takes a slot for moving does not hear who has it.
    await cluster.cancelMove(slot);
    await cluster.untilUp();
    return String(error);
  }
}
