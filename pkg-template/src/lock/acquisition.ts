import type { Grant } from "../core/records.js";
import type { Request } from "../options/request.js";
import type { Lock } from "../types/types.js";
import { onAbort } from "./abort.js";
import { HeldLock, type LockDriver } from "./held-lock.js";

/** An acquire in flight: a promise that settles once, and the caller's abort signal. */
export class Acquisition {
  readonly promise: Promise<Lock>;
  readonly request: Request;
  #resolve!: (lock: Lock) => void;
  #reject!: (reason: unknown) => void;
  #stopListening: (() => void) | undefined;

  constructor(request: Request) {
    this.request = request;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
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

  resolve(driver: LockDriver, id: number, grant: Grant): HeldLock {
    const lock = new HeldLock(driver, id, this.request, grant);
    this.#stopListening?.();
    this.#resolve(lock);
    return lock;
  }

  reject(error: unknown): void {
    this.#stopListening?.();
    this.#reject(error);
  }
}
