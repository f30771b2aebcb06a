/** What a drain consists of. */
export interface Drained {
  /** Comes first. */
  begin(): void;
  /** Does what follows from past inputs; true if there may be more. It runs foreign code, which may feed new inputs. */
  round(): boolean;
  /** Comes when nothing is left. */
  end(): void;
}

type State =
  /** Everything that follows from past inputs is done. */
  | "idle"
  /** The application has called; a microtask will drain. */
  | "scheduled"
  | "draining"
  /** Draining, and more was fed meanwhile. */
  | "draining again";

/**
 * Drains everything that follows from inputs before the event loop goes on. The application's calls are drained once per
 * microtask: all calls of one tick go out in one write.
 *
 *            soon            microtask             nothing left
 *   idle -----------> scheduled -----> draining ----------------> idle
 *     '--- now: bytes, timer, connections ^
 */
export class Drain {
  readonly #drained: Drained;
  #state: State = "idle";

  constructor(drained: Drained) {
    this.#drained = drained;
  }

  /** Drains in a microtask, or at the end of the round that runs. */
  soon(): void {
    if (this.#state === "draining") this.#state = "draining again";
    if (this.#state !== "idle") return;
    this.#state = "scheduled";
    // Not queueMicrotask, which fake timers may replace.
    Promise.resolve().then(() => this.now());
  }

  /** Drains before it returns, or at the end of the round that runs. */
  now(): void {
    if (this.#state === "draining" || this.#state === "draining again") {
      // A transport or a listener called back during a drain; the outer loop goes on.
      this.#state = "draining again";
      return;
    }
    try {
      this.#drained.begin();
      let more = true;
      while (more) {
        this.#state = "draining";
        more = this.#drained.round() || this.#isDrainingAgain();
      }
    } finally {
      this.#state = "idle";
    }
    this.#drained.end();
  }

  /** In a method of its own, because the compiler does not see that a round may change the state. */
  #isDrainingAgain(): boolean {
    return this.#state === "draining again";
  }
}
