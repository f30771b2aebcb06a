import type { Records } from "../core/records.js";
import { KIND } from "../core/wire.js";
import type { LockEvent } from "../types/observe.js";

/**
 * Collects events until they may be delivered: the application's code must not run before the promises of a drain are
 * settled and its losses announced.
 */
export class Observer {
  readonly #observe: (event: LockEvent) => unknown;
  readonly #nodes: readonly { readonly name: string }[];
  readonly #events: LockEvent[] = [];

  constructor(observe: (event: LockEvent) => unknown, nodes: readonly { readonly name: string }[]) {
    this.#observe = observe;
    this.#nodes = nodes;
  }

  add(event: LockEvent): void {
    this.#events.push(event);
  }

  /** Adds the event of the current record, if it has one; `keys` are those of the lock that it names, if it is known. */
  read(records: Records, keys: readonly string[] | undefined): void {
    const { kind } = records;
    if (kind === KIND.connection) {
      const node = this.#nodes[records.number(1)]?.name ?? "";
      this.add({ type: "connection", node, state: records.number(2) === 1 ? "ready" : "ended" });
    } else if (keys !== undefined) {
      if (kind === KIND.contended) this.add({ type: "contended", keys });
      if (kind === KIND.renewed) this.add({ type: "renewed", keys });
      if (kind === KIND.degraded) this.add({ type: "degraded", keys, missing: records.number(2) });
    }
  }

  /** Delivers all events in order. Whatever the application's code throws, or rejects with, ends here. */
  deliver(): void {
    for (;;) {
      const event = this.#events.shift();
      if (event === undefined) return;
      try {
        const result = this.#observe(event);
        if (result instanceof Promise) result.catch(() => {});
      } catch {
        // An observer only watches: no lock must suffer from its errors.
      }
    }
  }
}
