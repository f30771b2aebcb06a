import type { CoreNode, CoreSnapshot } from "../core/redlatch_core.js";
import type { ClientSnapshot, NodeFault, NodeSnapshot } from "../types/observe.js";

/** The part of the core's state that the client passes on. */
export type CoreState = Pick<CoreSnapshot, "nodes" | "releasing" | "counters">;

const CLOSED = { state: "closed", pending: 0, wakes: false, fault: undefined } as const;

/** Joins what the core knows with the names of servers and keys, which it does not know. */
export function snapshotOf(
  nodes: readonly { readonly name: string }[],
  core: CoreState,
  locks: Pick<ClientSnapshot, "locks" | "waiters">,
): ClientSnapshot {
  return {
    nodes: nodes.map(({ name }, index) => nodeOf(name, core.nodes[index] ?? CLOSED)),
    ...locks,
    releasing: core.releasing,
    counters: core.counters,
  };
}

function nodeOf(node: string, { state, pending, wakes, fault }: CoreNode | typeof CLOSED): NodeSnapshot {
  return { node, state, pending, wakes, fault: fault === undefined ? null : faultOf(node, fault) };
}

function faultOf(node: string, { code, prefix, message }: NodeFault): NodeFault {
  // The messages of sockets name the server already.
  const located = message.includes(node) ? message : `${node}: ${message}`;
  return prefix ? { code, prefix, message: located } : { code, message: located };
}

/** The state of a core that is gone: only its counters remain. */
export function finalState({ counters }: CoreState): CoreState {
  return { nodes: [], releasing: 0, counters };
}
