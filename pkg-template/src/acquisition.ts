import type { Grant } from "./core.js";
import { HeldLock, type LockDriver } from "./lock.js";
import type { Request } from "./options.js";
import type { Lock } from "./types.js";

/** An acquire that waits for its outcome: a promise that settles once, and the caller's abort signal. */
export class Acquisition {
  readonly promise: Promise<Lock>;
  readonly #request: Request;
  #resolve!: (lock: Lock) => void;
  #reject!: (reason: unknown) => void;
  #onAbort: (() => void) | undefined;

  constructor(request: Request) {
    this.#request = request;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** From now on an abort rejects, and calls `cancel` once. */
  listen(cancel: () => void): void {
    const { signal } = this.#request;
    if (signal === undefined) return;
    this.#onAbort = () => {
      cancel();
      this.#settled();
      this.#reject(signal.reason);
    };
    signal.addEventListener("abort", this.#onAbort);
  }

  granted(driver: LockDriver, id: number, grant: Grant): HeldLock {
    const lock = new HeldLock(driver, id, this.#request, grant);
    this.#settled();
    this.#resolve(lock);
    return lock;
  }

  failed(error: Error): void {
    this.#settled();
    this.#reject(error);
  }

  #settled(): void {
    if (this.#onAbort !== undefined) this.#request.signal?.removeEventListener("abort", this.#onAbort);
    this.#onAbort = undefined;
  }
}
