import type { AfterTurn } from "../transport/turn.js";

/** What a drain consists of. */
export interface Drained {
  /** Whether calls that come one by one should be drained together. */
  isBusy(): boolean;
  /** Time may have passed since the last call. */
  resume(): void;
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
  /** The application has called; the drain follows at the end of the event loop's turn. */
  | "waiting"
  | "draining"
  /** Draining, and more was fed meanwhile. */
  | "draining again";

/**
 * Drains everything that follows from inputs before the event loop goes on. The application's calls are drained once per
 * microtask: all calls of one tick go out in one write.
 *
 *            soon            microtask             nothing left
 *   idle -----------> scheduled -----> draining ----------------> idle
 *    | | '-----------> waiting ---------^ ^
 *    |   soon, busy           end of turn |
 *    '------- now: bytes, timer, connections
 *
 * While the servers are busy, calls that callbacks of their own make, such as those of other sockets, are drained at the end
 * of the event loop's turn, all together. Calls that follow from a drain come together anyway.
 */
export class Drain {
  readonly #drained: Drained;
  readonly #afterTurn: AfterTurn | undefined;
  readonly #due = () => {
    // An input may have been drained meanwhile, and the calls with it.
    if (this.#isDue()) this.#run(false);
  };
  readonly #followed = () => {
    this.#isFollowing = false;
  };
  #state: State = "idle";
  /** Whether the calls that come now follow from the last drain. */
  #isFollowing = false;

  /** `afterTurn`: if the runtime can tell when the event loop's turn ends. */
  constructor(drained: Drained, afterTurn: AfterTurn | undefined) {
    this.#drained = drained;
    this.#afterTurn = afterTurn;
  }

  /** Before a call of the application: drains in a microtask, at the end of the turn, or at the end of the round that runs. */
  soon(): void {
    if (this.#state === "draining") this.#state = "draining again";
    if (this.#state === "waiting") this.#drained.resume();
    if (this.#state !== "idle") return;
    if (this.#afterTurn !== undefined && !this.#isFollowing && this.#drained.isBusy()) {
      this.#state = "waiting";
      this.#afterTurn(this.#due);
    } else {
      this.#state = "scheduled";
      // Not queueMicrotask, which fake timers may replace.
      SETTLED.then(this.#due);
    }
  }

  /** Between two calls of the application, which a drain follows: begins to send. */
  early(): void {
    const state = this.#state;
    // The records of a drain that runs must stay.
    if (!this.#isDue()) return;
    this.#state = "draining";
    try {
      this.#drained.early();
    } finally {
      this.#state = state;
    }
  }

  /** Drains before it returns, or at the end of the round that runs. Call it at once after an input. */
  now(): void {
    this.#run(true);
    this.#isFollowing = true;
    SETTLED.then(this.#followed);
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

  #isDue(): boolean {
    return this.#state === "scheduled" || this.#state === "waiting";
  }

  /** In a method of its own, because the compiler does not see that a round may change the state. */
  #isDrainingAgain(): boolean {
    return this.#state === "draining again";
  }
}
