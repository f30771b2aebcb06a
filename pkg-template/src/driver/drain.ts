import type { AfterTurn } from "../transport/turn.js";

/** What a drain consists of. */
export interface Drained {
  /** Whether calls that come one by one should be drained together. */
  hasBacklog(): boolean;
  /** Time may have passed since the last call. */
  timePassed(): void;
  /** The monotonic clock, ms. */
  now(): number;
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

/** After so many ms, the next call ends the wait for the end of the turn: the time limits of the calls run already. */
const LONGEST_WAIT = 1;

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
 * Drains everything that follows from inputs before the event loop goes on, and the application's calls in a microtask: all
 * calls of one callback go out in one write.
 *
 *            soon            microtask             nothing left
 *   idle -----------> scheduled -----> draining ----------------> idle
 *    | | '-----------> waiting ---------^ ^
 *    |   soon, backlog        end of turn |
 *    '------- now: bytes, timer, connections
 *
 * While a server has a backlog, calls that callbacks of their own make, such as those of other sockets, are drained at the end
 * of the event loop's turn, all together, or with the first call after a millisecond. Calls that follow from a drain at once come
 * together anyway.
 */
export class Drain {
  readonly #drained: Drained;
  readonly #afterTurn: AfterTurn | undefined;
  readonly #due = () => {
    // An input may have been drained meanwhile, and the calls with it.
    if (this.#isDue()) this.#run(false);
  };
  readonly #callbackEnded = () => {
    this.#isFollowing = false;
    this.#isSameCallback = false;
  };
  #state: State = "idle";
  /** Whether the calls that come now follow from the last drain at once. */
  #isFollowing = false;
  /** When the first of the calls that wait was made. */
  #since = 0;
  /** Whether no time has passed since the last call that waits. */
  #isSameCallback = false;

  /** `afterTurn`: if the runtime can tell when the event loop's turn ends. */
  constructor(drained: Drained, afterTurn: AfterTurn | undefined) {
    this.#drained = drained;
    this.#afterTurn = afterTurn;
  }

  /**
   * Drains in a microtask, at the end of the turn, or at the end of the round that runs. Call it before a call into the core, or
   * after one that has read the clocks. `promptly`: not at the end of the turn.
   */
  soon(promptly = false): void {
    switch (this.#state) {
      case "draining":
        this.#state = "draining again";
        break;
      case "waiting":
        if (promptly || this.#hasWaitedLong()) this.#schedule();
        break;
      case "idle":
        if (promptly || this.#isFollowing || !this.#drained.hasBacklog()) this.#schedule();
        else this.#wait();
        break;
    }
  }

  #schedule(): void {
    this.#state = "scheduled";
    // Not queueMicrotask, which fake timers may replace.
    SETTLED.then(this.#due);
  }

  #wait(): void {
    if (this.#afterTurn === undefined) {
      this.#schedule();
      return;
    }
    this.#state = "waiting";
    this.#since = this.#drained.now();
    this.#isSameCallback = true;
    SETTLED.then(this.#callbackEnded);
    this.#afterTurn(this.#due);
  }

  #hasWaitedLong(): boolean {
    if (this.#isSameCallback) return false;
    this.#isSameCallback = true;
    SETTLED.then(this.#callbackEnded);
    this.#drained.timePassed();
    return this.#drained.now() - this.#since >= LONGEST_WAIT;
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
    if (this.#afterTurn === undefined) return;
    this.#isFollowing = true;
    SETTLED.then(this.#callbackEnded);
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
