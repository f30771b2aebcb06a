import type { CoreSnapshot } from "../core/redlatch_core.js";
import type { ClientSnapshot } from "../types/observe.js";

/** The part of the core's state that the client passes on. */
export type CoreState = Pick<CoreSnapshot, "nodes" | "releasing" | "counters">;

const DOWN = { state: "down", pending: 0, wakes: false } as const;

/** Joins what the core knows with the names of servers and keys, which it does not know. */
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

/** The state of a core that is gone: only its counters remain. */
export function finalState({ counters }: CoreState): CoreState {
  return { nodes: [], releasing: 0, counters };
}
