import type { Connections } from "./connections.js";
import type { CoreHost } from "./core-host.js";
import type { Timer } from "./timer.js";

/**
 * The request in which the client works. In workerd, I/O belongs to the request that began it: in any other request, a
 * socket stays silent and a timer never fires. In other runtimes, everything counts as one request.
 */
export class CurrentRequest {
  readonly #host: CoreHost;
  readonly #timer: Timer;
  readonly #connections: Connections;
  #probe: AbortSignal | undefined;

  constructor(host: CoreHost, timer: Timer, connections: Connections) {
    this.#host = host;
    this.#timer = timer;
    this.#connections = connections;
  }

  /**
   * True if the client must be refused in this request, because another one has pending calls or renewed locks. Otherwise
   * moves the client to this request.
   */
  isElsewhere(): boolean {
    if (!this.#isAnother()) return false;
    // No timer has run since that request ended, perhaps long ago, and what its sockets received can no longer be read.
    if (this.#host.core !== undefined) this.#host.feed((core, mono, wall) => core.absence(mono, wall));
    if (this.#host.owed() > 0) return true;
    this.follow();
    return false;
  }

  /**
   * Moves the client to this request, if it works in another. Leaves the connections and the timer of the other one
   * behind: they no longer do anything in this request.
   */
  follow(): void {
    if (!this.#isAnother()) return;
    this.enter();
    this.#timer.clear();
    for (const id of this.#connections.abandonAll()) {
      this.#host.feed((core, mono, wall) =>
        core.closed(id, "the connection belonged to another request", mono, wall),
      );
    }
  }

  /** From now on the client works in this request. */
  enter(): void {
    this.#probe = new AbortController().signal;
  }

  /** Whether this is another request than that of the last call of `enter`. The first call enters. */
  #isAnother(): boolean {
    if (this.#probe === undefined) this.enter();
    try {
      // The runtime throws if the signal was made in another request.
      void this.#probe?.aborted;
      return false;
    } catch {
      return true;
    }
  }
}
