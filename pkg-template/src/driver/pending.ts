import type { Failure, Grant, Records } from "../core/records.js";
import { CODE, KIND } from "../core/wire.js";
import type { LockError } from "../errors/errors.js";
import type { Acquisition } from "../lock/acquisition.js";
import type { HeldLock, LockDriver, ReleaseOutcome } from "../lock/held-lock.js";
import type { Request } from "../options/request.js";
import type { ClientSnapshot } from "../types/observe.js";
import type { Observer } from "./observer.js";

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
  readonly #observer: Observer | undefined;
  readonly #redlock: boolean;
  #releasing = 0;

  constructor(
    driver: LockDriver,
    errorOf: (failure: Failure) => LockError,
    observer: Observer | undefined,
    redlock: boolean,
  ) {
    this.#driver = driver;
    this.#errorOf = errorOf;
    this.#observer = observer;
    this.#redlock = redlock;
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
        case KIND.granted:
          this.#granted(id, records.grant(2));
          break;
        case KIND.failed: {
          const failure = records.failure(2, records.number(4), records.number(5));
          take(this.pending, id)?.failed(this.#errorOf(failure));
          break;
        }
        case KIND.lost: {
          const lock = take(this.held, id);
          if (lock === undefined) break;
          this.#settleRelease(lock, "expired");
          this.#lose(lock, LOSSES[records.number(2)] ?? "the lock is lost");
          lost.push(lock);
          break;
        }
        case KIND.released: {
          const lock = take(this.held, id);
          if (lock !== undefined) this.#settleRelease(lock, OUTCOMES[records.number(2)] ?? "unknown");
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
        default:
          this.#observer?.read(records, (this.held.get(id) ?? this.pending.get(id)?.request)?.keys);
      }
    }
    return lost;
  }

  /** Releases all that is held. Returns the locks that are lost by it: those whose holders did not let go of them. */
  releaseAll(cause: LockError): HeldLock[] {
    const held = [...this.held.values()];
    const taken = held.filter((lock) => !lock.letGo);
    for (const lock of held) lock.release();
    for (const lock of taken) this.#lose(lock, "the client was closed while the lock was held", cause);
    return taken;
  }

  /** Fails all that is left. Returns the locks that are lost by it. */
  end(error: LockError): HeldLock[] {
    for (const acquisition of this.pending.values()) acquisition.failed(error);
    for (const operation of this.operations.values()) operation.reject(error);
    const lost = [...this.held.values()].filter((lock) => !this.#settleRelease(lock, "unknown"));
    for (const lock of lost) this.#lose(lock, error.message, error);
    this.pending.clear();
    this.held.clear();
    this.operations.clear();
    return lost;
  }

  /** What there is, without tokens. */
  inspect(): Pick<ClientSnapshot, "locks" | "waiters"> {
    const locks = [];
    for (const { keys, fair, fence, remaining } of this.held.values()) {
      if (remaining > 0) locks.push({ keys, fair, fence: fence?.toString() ?? null, remaining });
    }
    const waiters = Array.from(this.pending.values(), ({ request: { keys, fair } }) => ({ keys, fair }));
    return { locks, waiters };
  }

  #granted(id: number, grant: Grant): void {
    const acquisition = take(this.pending, id);
    if (acquisition === undefined) return;
    const { request } = acquisition;
    const unknown = grant[0] === 0 && grant[1] === 0;
    const known = unknown ? (request.fence ?? this.#fenceOfAdopted(request)) : null;
    const lock = acquisition.granted(this.#driver, id, grant, known);
    this.held.set(id, lock);
    this.#observer?.note({ type: "acquired", keys: lock.keys, fence: lock.fence });
  }

  /** When a lock that was adopted is entered again: its fence is not the core's but its handle's. */
  #fenceOfAdopted({ token, keys }: Request): bigint | null {
    if (token === undefined || this.#redlock) return null;
    for (const lock of this.held.values()) {
      const same = lock.token === token && lock.keys.length === keys.length;
      if (same && keys.every((key) => lock.keys.includes(key))) return lock.fence;
    }
    return null;
  }

  /** False when no release was waiting for its outcome. */
  #settleRelease(lock: HeldLock, outcome: ReleaseOutcome): boolean {
    if (!lock.settleRelease(outcome)) return false;
    this.#releasing -= 1;
    this.#observer?.note({ type: "released", keys: lock.keys, fence: lock.fence, outcome });
    return true;
  }

  #lose(lock: HeldLock, message: string, cause?: Error): void {
    const error = lock.lose(message, cause);
    this.#observer?.note({ type: "lost", keys: lock.keys, fence: lock.fence, error });
  }

  #operationFailed(id: number, failure: Failure): void {
    const operation = take(this.operations, id);
    if (operation === undefined) return;
    const lost = failure.code === CODE.lost;
    if (lost && operation.kind === "verify") operation.resolve(false);
    else operation.reject((lost && operation.lock.loss) || this.#errorOf(failure));
  }
}

function take<T>(map: Map<number, T>, id: number): T | undefined {
  const value = map.get(id);
  map.delete(id);
  return value;
}
