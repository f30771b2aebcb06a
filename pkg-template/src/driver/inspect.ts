import type { CoreSnapshot } from "../core/redlatch_core.js";
import type { ClientSnapshot } from "../types/observe.js";

/** What the core tells, as far as the client passes it on. */
export type CoreState = Pick<CoreSnapshot, "nodes" | "releasing" | "counters">;

const DOWN = { state: "down", pending: 0, wakes: false } as const;

/** All of it in one: the core knows nodes by their numbers, and locks without their names. */
export function snapshotOf(
  nodes: readonly { readonly name: string }[],
  core: CoreState,
  locks: Pick<ClientSnapshot, "locks" | "waiters">,
): ClientSnapshot {
  return {
    nodes: nodes.map(({ name }, index) => ({ node: name, ...(core.nodes[index] ?? DOWN) })),
    ...locks,
    releasing: core.releasing,
    counters: core.counters,
  };
}

/** What is left of a core's state when the core is gone. */
export function lastState({ counters }: CoreState): CoreState {
  return { nodes: [], releasing: 0, counters };
}
