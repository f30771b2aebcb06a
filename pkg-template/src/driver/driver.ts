import type { CoreLoader } from "../core/loading.js";
import type { ErrorRecord, Records } from "../core/records.js";
import type { Core } from "../core/redlatch_core.js";
import { KIND } from "../core/wire.js";
import { type Call, type CallSite, NOWHERE } from "../errors/call-site.js";
import { ClosedError, InternalError } from "../errors/errors.js";
import { Acquisition } from "../lock/acquisition.js";
import type { HeldLock, LockDriver } from "../lock/held-lock.js";
import type { Settings } from "../options/client.js";
import type { Request } from "../options/request.js";
import type { AfterTurn } from "../transport/turn.js";
import type { ClientSnapshot, LockEvent } from "../types/observe.js";
import { Connections } from "./connections.js";
import { CoreHost } from "./core-host.js";
import { Drain } from "./drain.js";
import { type CoreState, snapshotOf } from "./inspect.js";
import { Observer } from "./observer.js";
import { type Operation, Pending } from "./pending.js";
import { CurrentRequest } from "./request.js";
import { Servers } from "./servers.js";
import { LONGEST_DELAY, Timer } from "./timer.js";
import { errorForCall, otherRequest, toLockError } from "./to-error.js";

/** How many pending acquires have the frames of their callers: these cost as much as the lock itself. */
const MOST_SITES = 2;

/**
 * Connects the core, the connections, the one timer and the application. Each input is fed into the core, and then
 * everything that follows from it is drained.
 *
 *   open --close()--> closing --bodies have ended and the core has cleaned up, or the timeout--> over
 */
export class Driver implements LockDriver {
  readonly label: string;
  readonly #settings: Settings;
  readonly #servers: Servers;
  readonly #host: CoreHost;
  readonly #timer: Timer;
  readonly #observer: Observer;
  readonly #pending: Pending;
  readonly #connections: Connections;
  readonly #request: CurrentRequest;
  readonly #drain: Drain;
  readonly #settle = (records: Records) => this.#carryOut(records);
  readonly #send = (records: Records) => this.#performAll(records);
  /** The locks under which the body of a `using` runs. */
  readonly #bodies = new Set<HeldLock>();
  /** Ends `close`, while closing. */
  #closed: (() => void) | undefined;
  /** The last state, when over. */
  #final: CoreState | undefined;

  constructor(settings: Settings, load: CoreLoader, afterTurn: AfterTurn | undefined) {
    this.#settings = settings;
    this.label = settings.label;
    this.#servers = new Servers(settings, (index) => this.#host.announced(index));
    const toError = (record: ErrorRecord, call: Call) =>
      toLockError(record, this.#servers, this.wall(), call);
    this.#observer = new Observer(
      this.#servers,
      (record, keys) => toError(record, { keys, site: NOWHERE }),
      (observed) => this.#host.observe(observed),
    );
    this.#host = new CoreHost(settings, load, (error) => this.#end(error));
    this.#pending = new Pending(this, toError, this.#observer);
    if (settings.observe !== undefined) this.observe(settings.observe);
    this.#drain = new Drain(
      {
        hasBacklog: () => this.#host.records?.backlog === true,
        timePassed: () => this.#host.timePassed(),
        now: () => this.mono(),
        begin: () => this.#request.follow(),
        early: () => this.#host.pollEarly(this.#send),
        round: (immediately) => this.#host.poll(immediately, this.#settle),
        end: () => this.#rest(),
      },
      afterTurn,
    );
    this.#connections = new Connections(this.#servers, this.#host, this.#drain, settings.credentials);
    this.#timer = new Timer(settings.clock, () => {
      this.#host.feed((core, mono, wall) => core.timeout(mono, wall));
      this.#drain.now();
    });
    this.#request = new CurrentRequest(this.#host, this.#timer, this.#connections);
  }

  /** Whether so many acquires are pending that the frames of another caller are not taken. */
  get isBusy(): boolean {
    return this.#pending.acquisitions.size >= MOST_SITES;
  }

  /** Acquires for a caller of `verb`. Without frames in `site`, they are looked for when the acquire fails. */
  // biome-ignore lint/complexity/noBannedTypes: any of the client's verbs.
  acquire(request: Request, verb: Function, site: CallSite): Promise<HeldLock> {
    const acquisition = new Acquisition(request, verb, site);
    if (this.#request.isElsewhere()) {
      acquisition.reject(otherRequest(this.#servers, acquisition));
      return acquisition.promise;
    }
    // First, because a drain must follow whatever the outcome.
    this.#drain.soon();
    const id = this.#host.acquire(request);
    if (typeof id !== "number") {
      acquisition.reject(id instanceof InternalError ? errorForCall(id, acquisition) : id);
      return acquisition.promise;
    }
    acquisition.begun = this.#host.mono;
    this.#pending.acquisitions.set(id, acquisition);
    if (request.signal !== undefined) acquisition.listen(() => this.#cancel(id));
    if (this.#host.hasEarly) this.#drain.early();
    return acquisition.promise;
  }

  extend(lock: HeldLock, ttl: number, site: CallSite): Promise<void> {
    return new Promise((resolve, reject) =>
      this.#begin({ kind: "extend", lock, keys: lock.keys, site, resolve, reject }, (core, mono, wall) =>
        core.extend(lock.id, ttl, mono, wall),
      ),
    );
  }

  verify(lock: HeldLock, site: CallSite): Promise<boolean> {
    return new Promise((resolve, reject) =>
      this.#begin({ kind: "verify", lock, keys: lock.keys, site, resolve, reject }, (core, mono, wall) =>
        core.verify(lock.id, mono, wall),
      ),
    );
  }

  release(lock: HeldLock): void {
    this.#request.follow();
    this.#drain.soon();
    this.#host.release(lock.id);
    if (this.#host.hasEarly) this.#drain.early();
  }

  /** The body of a `using` begins under this lock: until `leave`, no close releases it. */
  enter(lock: HeldLock): void {
    this.#bodies.add(lock);
    this.watch(lock);
  }

  /** The body has ended, and the release of its lock has begun. */
  leave(lock: HeldLock): void {
    this.#bodies.delete(lock);
    this.#drain.soon();
  }

  watch(lock: HeldLock): void {
    this.#pending.watch(lock);
    this.#keepAlive();
  }

  remaining(id: number): number {
    const left = this.#host.feed((core, mono, wall) => core.remaining(id, mono, wall));
    return typeof left === "number" ? left : 0;
  }

  overdue(): void {
    // Draining runs what is due. A timeout would also give up on answers that nobody has read yet.
    this.#drain.soon(true);
  }

  wall(): number {
    return this.#settings.clock.wall();
  }

  mono(): number {
    return this.#settings.clock.now();
  }

  /** Adds an observer; returns the function that removes it. */
  observe(observe: (event: LockEvent) => unknown): () => void {
    return this.#observer.observe(observe);
  }

  /** The current state. Throws an InternalError if that makes the core trap. */
  inspect(): ClientSnapshot {
    const state = this.#final ?? this.#host.feed((core) => core.inspect());
    if (state instanceof InternalError) throw state;
    return snapshotOf(this.#servers.first(state.nodes.length), state, this.#pending.inspect());
  }

  /**
   * Ends everything, with at most `timeout` ms for the bodies of `using` and for clean-up. Call it once, and after it only
   * what concerns the locks of those bodies.
   */
  close(timeout: number): Promise<void> {
    this.#request.follow();
    const occupied = Uint32Array.from(this.#bodies, ({ id }) => id);
    if (this.#host.core !== undefined)
      this.#host.feed((core, mono, wall) => core.close(occupied, mono, wall));
    if (this.#host.core === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const { clock } = this.#settings;
      const limit = clock.setTimeout(() => this.#stop(), Math.min(timeout, LONGEST_DELAY));
      this.#closed = () => {
        clock.clearTimeout(limit);
        resolve();
      };
      // Not at once: this runs the application's code, which must find the client closed.
      this.#drain.soon(true);
    });
  }

  #cancel(id: number): void {
    this.#pending.acquisitions.delete(id);
    this.#drain.soon();
    this.#host.cancel(id);
  }

  #begin(operation: Operation, input: (core: Core, mono: number, wall: number) => number): void {
    if (this.#request.isElsewhere()) {
      operation.reject(otherRequest(this.#servers, operation));
      return;
    }
    const id = this.#host.feed(input);
    if (typeof id !== "number") {
      operation.reject(errorForCall(id, operation));
    } else {
      this.#pending.operations.set(id, operation);
      this.#drain.soon();
    }
  }

  /** Nothing is left to do until the next input. */
  #rest(): void {
    const { records } = this.#host;
    if (records !== undefined) this.#timer.set(records.mono, records.delay);
    this.#keepAlive();
    const isClosing = this.#closed !== undefined && this.#host.core !== undefined;
    if (isClosing && this.#bodies.size === 0 && this.#host.feed((core) => core.busy()) === 0) this.#stop();
  }

  /** Keeps the process alive as long as something is owed (rule 18). */
  #keepAlive(): void {
    const isOwed = this.#pending.isWatching || (this.#host.records?.owed ?? 0) > 0;
    this.#timer.keepAlive(isOwed);
    this.#connections.keepAlive(isOwed);
  }

  #carryOut(records: Records): void {
    const { core } = this.#host;
    const lost = this.#pending.settle(records);
    if (lost.length > 0 || this.#observer.hasEvents) {
      // Foreign code: it may take its time, and call any method here.
      this.#drain.soon();
      this.#announce(lost);
    }
    // After a trap the remaining records mean nothing.
    if (this.#host.core === core) this.#performAll(records);
  }

  #performAll(records: Records): void {
    const { core } = this.#host;
    for (; records.more && this.#host.core === core; records.next()) this.#perform(records);
  }

  #perform(records: Records): void {
    const id = records.number(1);
    switch (records.kind) {
      case KIND.connect:
        this.#request.enter();
        this.#connections.connect(id, records.number(2));
        break;
      case KIND.close:
        this.#connections.drop(id);
        break;
      case KIND.transmit:
        this.#connections.write(id, records.bytes(2));
        break;
    }
  }

  #announce(lost: readonly HeldLock[]): void {
    for (const lock of lost) lock.announceEnd();
    this.#observer.deliver();
  }

  #stop(): void {
    this.#final = this.#host.dispose();
    this.#end(new ClosedError("the client was closed"));
  }

  /** Leaves nothing behind: no connection, no timer, no unsettled promise. The core is gone already. */
  #end(error: ClosedError | InternalError): void {
    const closed = this.#closed;
    this.#closed = undefined;
    this.#timer.clear();
    this.#connections.dropAll();
    this.#servers.forget();
    const lost = this.#pending.failAll(error);
    closed?.();
    // Last, because it runs the application's code.
    this.#announce(lost);
  }
}
