import type { Grant } from "../core/records.js";
import { type Call, type CallSite, NOWHERE, rejectLocated } from "../errors/call-site.js";
import { LockError } from "../errors/errors.js";
import type { Request } from "../options/request.js";
import { onAbort } from "./abort.js";
import { HeldLock, type LockDriver } from "./held-lock.js";

/** An acquire in flight: a promise that settles once, and the caller's abort signal. */
export class Acquisition implements Call {
  readonly promise: Promise<HeldLock>;
  readonly request: Request;
  readonly site: CallSite;
  // biome-ignore lint/complexity/noBannedTypes: any of the client's verbs.
  readonly #verb: Function;
  /** When it was called, on the monotonic clock. */
  begun = 0;
  #resolve!: (lock: HeldLock | Promise<never>) => void;
  #reject!: (reason: unknown) => void;
  #stopListening: (() => void) | undefined;

  /** `site` is that of the caller of `verb`, or `NOWHERE` to look for it when the acquire fails. */
  // biome-ignore lint/complexity/noBannedTypes: as above.
  constructor(request: Request, verb: Function, site: CallSite) {
    this.request = request;
    this.#verb = verb;
    this.site = site;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get keys(): readonly string[] {
    return this.request.keys;
  }

  /** From now on an abort rejects the promise, and calls `cancel` once. */
  listen(cancel: () => void): void {
    const { signal } = this.request;
    if (signal === undefined) return;
    this.#stopListening = onAbort(signal, () => {
      cancel();
      this.reject(signal.reason);
    });
  }

  resolve(driver: LockDriver, id: number, grant: Grant, mono: number): HeldLock {
    const lock = new HeldLock(driver, id, this, grant, mono);
    this.#stopListening?.();
    this.#resolve(lock);
    return lock;
  }

  reject(error: unknown): void {
    this.#stopListening?.();
    if (this.site === NOWHERE && error instanceof LockError) this.#resolve(rejectLocated(error, this.#verb));
    else this.#reject(error);
  }
}
