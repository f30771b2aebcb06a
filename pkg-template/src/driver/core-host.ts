import type { CoreLoader } from "../core/loading.js";
import { CoreMemory } from "../core/memory.js";
import { Records } from "../core/records.js";
import type { Core, Instance } from "../core/redlatch_core.js";
import { encode } from "../core/utf8.js";
import { InternalError } from "../errors/errors.js";
import type { Settings } from "../options/client.js";
import type { Voter } from "../options/deployment.js";
import type { Request } from "../options/request.js";
import { type CoreState, finalState } from "./inspect.js";

/** A core, and the objects through which it is used, which live as long as it does. */
interface Running {
  readonly instance: Instance;
  readonly core: Core;
  readonly memory: CoreMemory;
  readonly records: Records;
}

/**
 * Owns the core: builds it on first use, and throws it away when it traps. The next call then builds a new one. Reads the
 * clocks for it. Its methods are the only way into the core: whatever throws there is a trap.
 */
export class CoreHost {
  readonly #settings: Settings;
  readonly #load: CoreLoader;
  readonly #trapped: (error: InternalError) => void;
  #running: Running | undefined;
  #observed = false;
  /** Whether the last `acquire` or `release` left something that is better sent before the next poll. */
  hasEarly = false;
  /** The clocks when they were last read. */
  #mono = 0;
  #wall = 0;
  /** Whether time may have passed since then. */
  #stale = true;

  /** `trapped` is called when the core is gone, and with it everything that it knew. */
  constructor(settings: Settings, load: CoreLoader, trapped: (error: InternalError) => void) {
    this.#settings = settings;
    this.#load = load;
    this.#trapped = trapped;
  }

  /** Undefined before the first use, after a trap, and after `dispose`. */
  get core(): Core | undefined {
    return this.#running?.core;
  }

  /** What the last poll returned; undefined when `core` is. */
  get records(): Records | undefined {
    return this.#running?.records;
  }

  /** The monotonic clock when the clocks were last read. */
  get mono(): number {
    return this.#mono;
  }

  /** Passes on any input, with new readings of the clocks. */
  feed<T>(input: (core: Core, mono: number, wall: number) => T): T | InternalError {
    try {
      const { core } = this.#running ?? this.#build();
      this.#read();
      return input(core, this.#mono, this.#wall);
    } catch (error) {
      return this.#trap(error);
    }
  }

  /**
   * Asks for a lock. Returns its id, or why it is refused. This and the next two methods are for the application's calls:
   * after each of them a drain must be due. Until then they share one reading of the clocks, unless `timePassed`.
   */
  acquire({ keys, token, ttl, wait, flags, maxHold, fence }: Request): number | Error {
    try {
      const { core, memory } = this.#running ?? this.#build();
      this.#look();
      const length = memory.putNames(keys, token);
      const id = core.acquire(length, keys.length, ttl, wait, flags, maxHold, fence, this.#mono, this.#wall);
      this.hasEarly = id < 0;
      return id === 0 ? core.refused() : Math.abs(id);
    } catch (error) {
      return this.#trap(error);
    }
  }

  /** Time may have passed since the last of these calls: the next one reads the clocks. */
  timePassed(): void {
    this.#stale = true;
  }

  cancel(lock: number): void {
    try {
      const { core } = this.#running ?? this.#build();
      this.#look();
      core.cancel(lock, this.#mono, this.#wall);
    } catch (error) {
      this.#trap(error);
    }
  }

  release(lock: number): void {
    try {
      const { core } = this.#running ?? this.#build();
      this.#look();
      this.hasEarly = core.release(lock, this.#mono, this.#wall);
    } catch (error) {
      this.#trap(error);
    }
  }

  /** Bytes arrived. The drain that must follow at once uses the same reading of the clocks. */
  received(connection: number, bytes: Uint8Array): void {
    try {
      const { core, memory } = this.#running ?? this.#build();
      this.#read();
      this.#stale = false;
      memory.put(bytes);
      core.received(connection, bytes.length, this.#mono, this.#wall);
    } catch (error) {
      this.#trap(error);
    }
  }

  /**
   * Polls, and has `use` read the records. Reads the clocks for it, unless it follows an input `immediately`: what was valid
   * when the clocks were read must not be reported later (rule 1).
   */
  poll(immediately: boolean, use: (records: Records) => void): void {
    if (this.#running === undefined) return;
    const { records } = this.#running;
    try {
      if (!immediately) this.#stale = true;
      this.#look();
      this.#stale = true;
      records.poll(this.#mono, this.#wall);
      use(records);
    } catch (error) {
      this.#trap(error);
    }
  }

  /** Has `use` read the records of what is better sent before the next poll. */
  pollEarly(use: (records: Records) => void): void {
    if (this.#running === undefined) return;
    const { records } = this.#running;
    try {
      records.pollEarly();
      use(records);
    } catch (error) {
      this.#trap(error);
    }
  }

  /** How much is owed to the application (rule 18). */
  owed(): number {
    if (this.#running === undefined) return 0;
    const owed = this.feed((core) => core.owed());
    return typeof owed === "number" ? owed : 0;
  }

  /** The place among the voters, and the announced address, of a server that the core has learnt of; undefined for others. */
  announced(node: number): { voter: number; address: string } | undefined {
    if (this.#running === undefined) return undefined;
    const announced = this.feed((core) => ({ voter: core.voter(node), address: core.address(node) }));
    return announced instanceof InternalError || announced.address === "" ? undefined : announced;
  }

  /** Sets whether the core reports what only observers want to know. */
  observe(wanted: boolean): void {
    this.#observed = wanted;
    if (this.#running !== undefined) this.feed((core) => core.observe(wanted));
  }

  /** Frees the core; returns its last state, or undefined if it traps. */
  dispose(): CoreState | undefined {
    const state = this.feed((core) => {
      const last = finalState(core.inspect());
      core.free();
      return last;
    });
    this.#running = undefined;
    return state instanceof InternalError ? undefined : state;
  }

  /** Reads the clocks if time may have passed since they were read. */
  #look(): void {
    if (!this.#stale) return;
    this.#read();
    this.#stale = false;
  }

  #read(): void {
    const { clock } = this.#settings;
    this.#mono = clock.now();
    this.#wall = clock.wall();
  }

  #build(): Running {
    const { drift, retryMin, retryMax, nodeTimeout, connectTimeout, prefix, label, replicas } =
      this.#settings;
    const { voters } = this.#settings;
    const instance = this.#load();
    const core = new instance.Core(
      drift,
      retryMin,
      retryMax,
      nodeTimeout,
      connectTimeout,
      encode(prefix),
      label,
      replicas,
      voters.some(({ deployment }) => deployment?.kind === "cluster" && deployment.sharded),
    );
    const memory = new CoreMemory(core, instance.memory);
    // First, because the next calls may trap.
    this.#running = { instance, core, memory, records: new Records(core, memory) };
    if (this.#observed) core.observe(true);
    for (const voter of voters) addVoter(core, voter);
    return this.#running;
  }

  /** A trap leaves the instance unusable. */
  #trap(error: unknown): InternalError {
    const internal =
      error instanceof InternalError
        ? error
        : new InternalError("the WebAssembly core failed; all locks of this client are lost", {
            cause: error,
          });
    this.#running?.instance.abandon(this.#running.core);
    this.#running = undefined;
    this.#stale = true;
    this.#trapped(internal);
    return internal;
  }
}

/** Adds the servers of a voter. */
function addVoter(core: Core, { nodes, deployment }: Voter): void {
  for (const { user, password, database, transport } of nodes) {
    const { carrier, independent = false } = transport;
    core.add_node(user, password, database, carrier === "commands", independent);
  }
  if (deployment === undefined) return;
  const { user, password, database } = deployment.pattern;
  const isTaken =
    deployment.kind === "sentinel"
      ? core.sentinels(nodes.length, deployment.master, user, password, database)
      : core.cluster(deployment.addresses);
  if (!isTaken) throw new InternalError(`the core did not take the ${deployment.kind}`);
}
