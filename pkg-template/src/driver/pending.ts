import type { ErrorRecord, Records } from "../core/records.js";
import { CODE, FIRST_IO, KIND, LOSS } from "../core/wire.js";
import { type Call, NOWHERE } from "../errors/call-site.js";
import { dataOf } from "../errors/data.js";
import { ClosedError, type InternalError, type LockError } from "../errors/errors.js";
import type { Acquisition } from "../lock/acquisition.js";
import type { HeldLock, LockDriver, ReleaseOutcome } from "../lock/held-lock.js";
import type { ClientSnapshot } from "../types/observe.js";
import type { Observer } from "./observer.js";
import { errorForCall } from "./to-error.js";

/** An operation on a held lock, in flight. */
export type Operation = Call & { readonly lock: HeldLock; reject(reason: unknown): void } & (
    | { readonly kind: "extend"; resolve(): void }
    | { readonly kind: "verify"; resolve(held: boolean): void }
  );

/** The slot of a granted record with the number of attempts. */
const ATTEMPTS = 9;
const RELEASE_OUTCOMES: readonly ReleaseOutcome[] = ["released", "expired", "unknown"];

/** Everything that waits for the core, by the core's ids, and the locks that are held. Runs no code of the application. */
export class Pending {
  readonly acquisitions = new Map<number, Acquisition>();
  readonly locks = new Map<number, HeldLock>();
  readonly operations = new Map<number, Operation>();
  readonly #driver: LockDriver;
  readonly #toError: (record: ErrorRecord, call: Call) => LockError;
  readonly #observer: Observer;
  /** The locks whose end the application waits for. */
  readonly #watched = new Set<number>();

  constructor(
    driver: LockDriver,
    toError: (record: ErrorRecord, call: Call) => LockError,
    observer: Observer,
  ) {
    this.#driver = driver;
    this.#toError = toError;
    this.#observer = observer;
  }

  /** The application waits for the end of a lock. */
  watch({ id }: HeldLock): void {
    if (this.locks.has(id)) this.#watched.add(id);
  }

  /** Whether the application waits for the end of any lock. */
  get isWatching(): boolean {
    return this.#watched.size > 0;
  }

  /**
   * Settles everything that the records report, up to the first that asks for I/O. Returns the locks whose signals are yet
   * to be aborted.
   */
  settle(records: Records): HeldLock[] {
    const lost: HeldLock[] = [];
    for (; records.more && records.kind < FIRST_IO; records.next()) {
      const id = records.number(1);
      switch (records.kind) {
        case KIND.granted:
          this.#grant(id, records);
          break;
        case KIND.failed: {
          const error = records.error();
          const acquisition = take(this.acquisitions, id);
          if (acquisition !== undefined) this.#fail(acquisition, error, records.mono);
          break;
        }
        case KIND.lost: {
          const [loss, follows] = [records.number(2), records.number(3)];
          const lock = this.#lost(id, loss, records.string(), records.reason(follows));
          if (lock !== undefined) lost.push(lock);
          break;
        }
        case KIND.closing: {
          const lock = this.locks.get(id);
          lock?.close(new ClosedError("the client is being closed"));
          if (lock !== undefined) lost.push(lock);
          break;
        }
        case KIND.released: {
          const lock = this.#take(id);
          const outcome = RELEASE_OUTCOMES[records.number(2)] ?? "unknown";
          if (lock !== undefined) this.#settleRelease(lock, outcome);
          break;
        }
        case KIND.extended:
        case KIND.verified: {
          const operation = take(this.operations, id);
          if (operation?.kind === "extend") operation.resolve();
          else operation?.resolve(records.number(2) === 1);
          break;
        }
        case KIND.operationFailed:
          this.#failOperation(id, records.error());
          break;
        default:
          this.#observer.read(records, (this.locks.get(id) ?? this.acquisitions.get(id)?.request)?.keys);
      }
    }
    return lost;
  }

  /** Fails everything that is left. Returns the locks that are lost by it. */
  failAll(error: ClosedError | InternalError): HeldLock[] {
    for (const acquisition of this.acquisitions.values()) {
      acquisition.reject(errorForCall(error, acquisition));
    }
    for (const operation of this.operations.values()) {
      operation.reject(errorForCall(error, operation));
    }
    const lost = [...this.locks.values()].filter((lock) => !this.#settleRelease(lock, "unknown"));
    for (const lock of lost)
      this.#lose(lock, error.message, errorForCall(error, { keys: lock.keys, site: NOWHERE }));
    this.acquisitions.clear();
    this.locks.clear();
    this.#watched.clear();
    this.operations.clear();
    return lost;
  }

  /** The locks and the waiters, without tokens. */
  inspect(): Pick<ClientSnapshot, "locks" | "waiters"> {
    const locks = [];
    for (const { keys, fair, fenceText: fence, remaining } of this.locks.values()) {
      if (remaining > 0) locks.push({ keys, fair, fence, remaining });
    }
    const waiters = Array.from(this.acquisitions.values(), ({ request: { keys, fair } }) => ({ keys, fair }));
    return { locks, waiters };
  }

  #grant(id: number, records: Records): void {
    const acquisition = take(this.acquisitions, id);
    if (acquisition === undefined) return;
    const lock = acquisition.resolve(this.#driver, id, records.grant(2), records.mono);
    this.locks.set(id, lock);
    if (!this.#observer.any) return;
    const { keys, fenceText: fence } = lock;
    const waited = span(acquisition.begun, records.mono);
    this.#observer.add({ type: "acquired", keys, fence, waited, attempts: records.number(ATTEMPTS) });
  }

  #fail(acquisition: Acquisition, record: ErrorRecord, mono: number): void {
    acquisition.reject(this.#toError(record, acquisition));
    // A single attempt waits for nothing, so it does not time out.
    if (record.code !== CODE.timeout || acquisition.request.wait === 0 || !this.#observer.any) return;
    const { keys, begun } = acquisition;
    const { attempts } = record;
    this.#observer.add({ type: "timed-out", keys, waited: span(begun, mono), attempts });
  }

  #take(id: number): HeldLock | undefined {
    this.#watched.delete(id);
    return take(this.locks, id);
  }

  /** The lock that is lost, if it is known. One that is lost because the client is closed is yet to be released. */
  #lost(id: number, loss: number, message: string, reason: ErrorRecord | undefined): HeldLock | undefined {
    const lock = this.locks.get(id);
    if (lock === undefined) return undefined;
    if (loss === LOSS.closed) {
      lock.beginRelease();
      this.#lose(lock, message, new ClosedError("the client was closed", { keys: lock.keys }));
    } else {
      this.#take(id);
      const cause = reason && this.#toError(reason, { keys: lock.keys, site: NOWHERE });
      this.#lose(lock, message, cause);
      this.#settleRelease(lock, "expired");
    }
    return lock;
  }

  /** False when no release was waiting for its outcome. */
  #settleRelease(lock: HeldLock, outcome: ReleaseOutcome): boolean {
    if (!lock.settleRelease(outcome)) return false;
    if (this.#observer.any) this.#observer.add({ type: "released", ...this.#endOf(lock), outcome });
    return true;
  }

  #lose(lock: HeldLock, message: string, cause?: Error): void {
    const error = lock.lose(message, cause);
    if (this.#observer.any) this.#observer.add({ type: "lost", ...this.#endOf(lock), error: dataOf(error) });
  }

  /** What the events about the end of a lock have in common. */
  #endOf({ keys, fenceText: fence, granted }: HeldLock): {
    keys: readonly string[];
    fence: string | null;
    held: number;
  } {
    return { keys, fence, held: span(granted, this.#driver.mono()) };
  }

  #failOperation(id: number, record: ErrorRecord): void {
    const operation = take(this.operations, id);
    if (operation === undefined) return;
    const lost = record.code === CODE.lost;
    if (lost && operation.kind === "verify") operation.resolve(false);
    else if (lost && operation.lock.loss !== undefined)
      operation.reject(operation.lock.notHeld(operation.site));
    else operation.reject(this.#toError(record, operation));
  }
}

/** ms between two readings of the monotonic clock, to the microsecond. */
function span(from: number, to: number): number {
  return Math.round((to - from) * 1000) / 1000;
}

function take<T>(map: Map<number, T>, id: number): T | undefined {
  const value = map.get(id);
  map.delete(id);
  return value;
}
