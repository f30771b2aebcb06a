/** What a drain consists of. */
export interface Drained {
  /** Comes first. */
  begin(): void;
  /** Sends what is better sent before the application has made all its calls. */
  early(): void;
  /**
   * Does everything that follows from past inputs. It runs foreign code, which may feed new inputs and ask for another round.
   * `immediately`: no time has passed since the last input.
   */
  round(immediately: boolean): void;
  /** Comes after the last round. */
  end(): void;
}

const SETTLED = Promise.resolve();

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
  readonly #scheduled = () => this.#run(false);
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
    SETTLED.then(this.#scheduled);
  }

  /** Between two calls of the application, which a drain follows: begins to send. */
  early(): void {
    // The records of a drain that runs must stay.
    if (this.#state !== "scheduled") return;
    this.#state = "draining";
    try {
      this.#drained.early();
    } finally {
      this.#state = "scheduled";
    }
  }

  /** Drains before it returns, or at the end of the round that runs. Call it at once after an input. */
  now(): void {
    this.#run(true);
  }

  #run(immediately: boolean): void {
    if (this.#state === "draining" || this.#state === "draining again") {
      // A transport or a listener called back during a drain; the outer loop goes on.
      this.#state = "draining again";
      return;
    }
    try {
      this.#drained.begin();
      this.#state = "draining";
      this.#drained.round(immediately);
      while (this.#isDrainingAgain()) {
        this.#state = "draining";
        this.#drained.round(false);
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
