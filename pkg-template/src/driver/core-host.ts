import type { CoreLoader } from "../core/loading.js";
import type { Core, Instance } from "../core/redlatch_core.js";
import { InternalError } from "../errors/errors.js";
import type { Settings } from "../options/client.js";
import { type CoreState, finalState } from "./inspect.js";

/** Owns the core: builds it on first use, and throws it away when it traps. The next call then builds a new one. */
export class CoreHost {
  readonly #settings: Settings;
  readonly #load: CoreLoader;
  readonly #trapped: (error: InternalError) => void;
  #instance: Instance | undefined;
  #core: Core | undefined;
  #observed = false;

  /** `trapped` is called when the core is gone, and with it everything that it knew. */
  constructor(settings: Settings, load: CoreLoader, trapped: (error: InternalError) => void) {
    this.#settings = settings;
    this.#load = load;
    this.#trapped = trapped;
  }

  /** Undefined before the first use, after a trap, and after `dispose`. */
  get core(): Core | undefined {
    return this.#core;
  }

  /** The only way into the core. Whatever it throws is a trap. */
  feed<T>(input: (core: Core, mono: number, wall: number) => T): T | InternalError {
    const { clock } = this.#settings;
    try {
      this.#core ??= this.#build();
      return input(this.#core, clock.now(), clock.wall());
    } catch (error) {
      return this.#trap(error);
    }
  }

  /** How much is owed to the application (rule 18). */
  owed(): number {
    if (this.#core === undefined) return 0;
    const owed = this.feed((core) => core.owed());
    return typeof owed === "number" ? owed : 0;
  }

  /** Sets whether the core reports what only observers want to know. */
  observe(wanted: boolean): void {
    this.#observed = wanted;
    if (this.#core !== undefined) this.feed((core) => core.observe(wanted));
  }

  /** Frees the core; returns its last state, or undefined if it traps. */
  dispose(): CoreState | undefined {
    const state = this.feed((core) => {
      const last = finalState(core.inspect());
      core.free();
      return last;
    });
    this.#core = undefined;
    return state instanceof InternalError ? undefined : state;
  }

  #build(): Core {
    const { drift, retryMin, retryMax, nodeTimeout, connectTimeout, label, nodes } = this.#settings;
    this.#instance = this.#load();
    const core = new this.#instance.Core(drift, retryMin, retryMax, nodeTimeout, connectTimeout, label);
    if (this.#observed) core.observe(true);
    for (const { user, password, database, transport } of nodes) {
      core.add_node(user, password, database, transport.carrier === "commands");
    }
    return core;
  }

  /** A trap leaves the instance unusable. */
  #trap(error: unknown): InternalError {
    const internal =
      error instanceof InternalError
        ? error
        : new InternalError("the WebAssembly core failed; all locks of this client are lost", {
            cause: error,
          });
    const core = this.#core;
    if (core !== undefined) this.#instance?.abandon(core);
    this.#core = undefined;
    this.#trapped(internal);
    return internal;
  }
}
