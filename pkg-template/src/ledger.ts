import type { Acquisition } from "./acquisition.js";
import { CODE, type Failure, KIND, type Records } from "./core.js";
import type { LockError } from "./errors.js";
import type { HeldLock, LockDriver, ReleaseOutcome } from "./lock.js";

/** A question about one lock, under way. */
export type Operation = { readonly lock: HeldLock; reject(reason: unknown): void } & (
  | { readonly kind: "extend"; resolve(): void }
  | { readonly kind: "verify"; resolve(ours: boolean): void }
);

const OUTCOMES: readonly ReleaseOutcome[] = ["released", "expired", "unknown"];
/** By the core's reason, from 1. */
const LOSSES: readonly (string | undefined)[] = [
  undefined,
  "the validity of the lock has ended",
  "the server says that the lock is no longer ours",
  "the lock was held for maxHold and is given up",
];

/** Who waits for what, by the core's ids; brings the core's outcomes to them. Runs none of the application's code. */
export class Ledger {
  readonly pending = new Map<number, Acquisition>();
  readonly held = new Map<number, HeldLock>();
  readonly operations = new Map<number, Operation>();
  readonly #driver: LockDriver;
  readonly #errorOf: (failure: Failure) => LockError;
  #releasing = 0;

  constructor(driver: LockDriver, errorOf: (failure: Failure) => LockError) {
    this.#driver = driver;
    this.#errorOf = errorOf;
  }

  /** Whether a promise of the application is still to settle. */
  get waiting(): boolean {
    return this.pending.size + this.operations.size + this.#releasing > 0;
  }

  /** A lock's release was asked for. */
  releasing(): void {
    this.#releasing += 1;
  }

  /** Settles everything that the records tell. Returns the locks lost: their listeners are to be told. */
  settle(records: Records): HeldLock[] {
    const lost: HeldLock[] = [];
    while (records.next()) {
      const id = records.number(1);
      switch (records.number(0)) {
        case KIND.granted: {
          const lock = take(this.pending, id)?.granted(this.#driver, id, records.grant(2));
          if (lock !== undefined) this.held.set(id, lock);
          break;
        }
        case KIND.failed: {
          const failure = records.failure(2, records.number(4), records.number(5));
          take(this.pending, id)?.failed(this.#errorOf(failure));
          break;
        }
        case KIND.lost: {
          const lock = take(this.held, id);
          if (lock === undefined) break;
          if (lock.settleRelease("expired")) this.#releasing -= 1;
          lock.lose(LOSSES[records.number(2)] ?? "the lock is lost");
          lost.push(lock);
          break;
        }
        case KIND.released: {
          const outcome = OUTCOMES[records.number(2)] ?? "unknown";
          if (take(this.held, id)?.settleRelease(outcome)) this.#releasing -= 1;
          break;
        }
        case KIND.extended:
        case KIND.verified: {
          const operation = take(this.operations, id);
          if (operation?.kind === "extend") operation.resolve();
          else operation?.resolve(records.number(3) === 1);
          break;
        }
        case KIND.operationFailed:
          this.#operationFailed(id, records.failure(3, 0, records.number(5)));
          break;
      }
    }
    return lost;
  }

  /** Fails all that is left; what is to become of held locks is `lose`'s to say. Returns them. */
  end(error: LockError, lose: (lock: HeldLock) => void): HeldLock[] {
    const held = [...this.held.values()];
    for (const acquisition of this.pending.values()) acquisition.failed(error);
    for (const operation of this.operations.values()) operation.reject(error);
    for (const lock of held) {
      lock.settleRelease("unknown");
      lose(lock);
    }
    this.#releasing = 0;
    this.pending.clear();
    this.held.clear();
    this.operations.clear();
    return held;
  }

  #operationFailed(id: number, failure: Failure): void {
    const operation = take(this.operations, id);
    if (operation === undefined) return;
    if (failure.code !== CODE.lost) operation.reject(this.#errorOf(failure));
    else if (operation.kind === "verify") operation.resolve(false);
    else operation.reject(operation.lock.lose("the lock is no longer ours"));
  }
}

function take<T>(map: Map<number, T>, id: number): T | undefined {
  const value = map.get(id);
  map.delete(id);
  return value;
}
