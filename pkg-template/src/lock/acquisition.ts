import type { Grant } from "../core/records.js";
import type { Call, CallSite } from "../errors/call-site.js";
import type { Request } from "../options/request.js";
import { onAbort } from "./abort.js";
import { HeldLock, type LockDriver } from "./held-lock.js";

/** An acquire in flight: a promise that settles once, and the caller's abort signal. */
export class Acquisition implements Call {
  readonly promise: Promise<HeldLock>;
  readonly request: Request;
  readonly site: CallSite;
  /** When it was called, on the monotonic clock. */
  begun = 0;
  #resolve!: (lock: HeldLock) => void;
  #reject!: (reason: unknown) => void;
  #stopListening: (() => void) | undefined;

  constructor(request: Request, site: CallSite) {
    this.request = request;
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
    this.#reject(error);
  }
}
