import type { ErrorRecord, Records } from "../core/records.js";
import { CAUSE, CODE, KIND } from "../core/wire.js";
import { dataOf } from "../errors/data.js";
import type { LockError } from "../errors/errors.js";
import { reasonOf } from "../errors/text.js";
import type { LockEvent } from "../types/observe.js";
import type { NodeList } from "./to-error.js";
import { warn } from "./warn.js";

type Observe = (event: LockEvent) => unknown;

/**
 * Collects events until they may be delivered: the application's code must not run before the promises of a drain are
 * settled and its losses announced. Without observers nothing is collected, and the failure of a first contact is a warning.
 */
export class Observer {
  readonly #nodes: NodeList;
  readonly #toError: (record: ErrorRecord, keys: readonly string[]) => LockError;
  /** Called when the first observer comes, and when the last one goes. */
  readonly #changed: (observed: boolean) => void;
  /** One object for each registration: a function may be added twice. */
  readonly #observers = new Set<{ readonly observe: Observe }>();
  readonly #events: LockEvent[] = [];
  #warned = false;

  constructor(
    nodes: NodeList,
    toError: (record: ErrorRecord, keys: readonly string[]) => LockError,
    changed: (observed: boolean) => void,
  ) {
    this.#nodes = nodes;
    this.#toError = toError;
    this.#changed = changed;
  }

  /** Adds an observer; returns the function that removes it. */
  observe(observe: Observe): () => void {
    const registration = { observe };
    this.#observers.add(registration);
    if (this.#observers.size === 1) this.#changed(true);
    return () => {
      if (this.#observers.delete(registration) && this.#observers.size === 0) this.#changed(false);
    };
  }

  /** Whether anybody observes. If not, no event needs to be made. */
  get any(): boolean {
    return this.#observers.size > 0;
  }

  /** Whether events are yet to be delivered. */
  get hasEvents(): boolean {
    return this.#events.length > 0;
  }

  add(event: LockEvent): void {
    this.#events.push(event);
  }

  /** Adds the event of the current record, if it has one; `keys` are those of the lock that it names, if it is known. */
  read(records: Records, keys: readonly string[] | undefined): void {
    const { kind } = records;
    if (kind === KIND.connection) {
      this.#connection(this.#nodes.at(records.number(1))?.name ?? "", records.reason(records.number(2)));
    } else if (kind === KIND.renewFailed) {
      const record = records.error();
      if (keys !== undefined && this.any)
        this.add({ type: "renew-failed", keys, error: dataOf(this.#toError(record, keys)) });
    } else if (keys !== undefined && this.any) {
      if (kind === KIND.contended) this.add({ type: "contended", keys });
      if (kind === KIND.renewed) this.add({ type: "renewed", keys, rtt: records.number(2) });
      if (kind === KIND.degraded) this.add({ type: "degraded", keys, missing: records.number(2) });
    }
  }

  #connection(node: string, record: ErrorRecord | undefined): void {
    if (record === undefined) {
      if (this.any) this.add({ type: "connection", node, state: "ready" });
      return;
    }
    const error = this.#toError(record, []);
    if (this.any)
      this.add({ type: "connection", node, state: "ended", reason: error.message, error: dataOf(error) });
    // Once for each server, because the core reports no other failure while nobody observes.
    else {
      const lasts = record.code !== CODE.connection || record.cause === CAUSE.obstacle;
      const next = lasts ? "" : "; locks go on trying until their `wait` is over";
      warn(`the first connection to a server failed: ${error.message}${next}`, "REDLATCH_FIRST_CONTACT");
    }
  }

  /** Delivers all events in order. Whatever the application's code throws, or rejects with, ends here. */
  deliver(): void {
    for (;;) {
      const event = this.#events.shift();
      if (event === undefined) return;
      for (const { observe } of [...this.#observers]) {
        try {
          const result = observe(event);
          if (result instanceof Promise) result.catch((error) => this.#warn(error));
        } catch (error) {
          // An observer only watches: no lock must suffer from its errors.
          this.#warn(error);
        }
      }
    }
  }

  #warn(error: unknown): void {
    if (this.#warned) return;
    this.#warned = true;
    warn(`an observer failed, which does not affect the locks: ${reasonOf(error)}`, "REDLATCH_OBSERVER");
  }
}
