import type { CoreLoader } from "../core/loading.js";
import { type Failure, Records } from "../core/records.js";
import type { Core, Instance } from "../core/redlatch_core.js";
import { KIND } from "../core/wire.js";
import { ClosedError, InternalError, type LockError } from "../errors/errors.js";
import { Acquisition } from "../lock/acquisition.js";
import type { HeldLock, LockDriver } from "../lock/held-lock.js";
import type { Settings } from "../options/client.js";
import type { Node } from "../options/nodes.js";
import type { Request } from "../options/request.js";
import type { ClientSnapshot } from "../types/observe.js";
import type { Lock } from "../types/types.js";
import { Link, type LinkOwner } from "./connection.js";
import { type CoreState, lastState, snapshotOf } from "./inspect.js";
import { Observer } from "./observer.js";
import { Ledger, type Operation } from "./pending.js";
import { Alarm, LONGEST_DELAY } from "./timer.js";
import { errorOf, type FailedNode } from "./to-error.js";

/**
 * Owns the core, the connections and the one timer. What happens is fed into the core, one thing at a time, and then
 * everything that follows from it is drained before the event loop goes on. The application's calls are drained once
 * per microtask: all of one tick go out in one write.
 */
export class Driver implements LockDriver, LinkOwner {
  readonly #settings: Settings;
  readonly #load: CoreLoader;
  readonly #nodes: (Node & FailedNode & { lastError: FailedNode["lastError"] })[];
  readonly #alarm: Alarm;
  readonly #observer: Observer | undefined;
  readonly #ledger: Ledger;
  readonly #links = new Map<number, Link>();
  #instance: Instance | undefined;
  #core: Core | undefined;
  #flushing = false;
  #draining = false;
  #again = false;
  #onIdle: (() => void) | undefined;
  /** What is left to tell after the end. */
  #final: CoreState | undefined;

  constructor(settings: Settings, load: CoreLoader) {
    this.#settings = settings;
    this.#load = load;
    this.#nodes = settings.nodes.map((node) => ({ ...node, tls: node.address.tls, lastError: undefined }));
    this.#observer = settings.observe && new Observer(settings.observe, this.#nodes);
    const errorFor = (failure: Failure) => errorOf(failure, this.#nodes, this.wall());
    this.#ledger = new Ledger(this, errorFor, this.#observer, this.#nodes.length > 1);
    this.#alarm = new Alarm(settings.clock, () => {
      this.#feed((core, mono, wall) => core.timeout(mono, wall));
      this.#drain();
    });
  }

  acquire(request: Request): Promise<Lock> {
    const acquisition = new Acquisition(request);
    const { bytes, lengths, tokenBytes, ttl, wait, flags, maxHold } = request;
    const id = this.#feed((core, mono, wall) => {
      try {
        return core.acquire(bytes, lengths, tokenBytes, ttl, wait, flags, maxHold, mono, wall);
      } catch (error) {
        // The request's own fault. All else is a trap.
        if (error instanceof TypeError) return error;
        throw error;
      }
    });
    if (typeof id !== "number") {
      acquisition.failed(id);
      return acquisition.promise;
    }
    this.#ledger.pending.set(id, acquisition);
    acquisition.listen(() => this.#cancel(id));
    this.#flushSoon();
    return acquisition.promise;
  }

  extend(lock: HeldLock, ttl: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const id = this.#feed((core, mono, wall) => core.extend(lock.id, ttl, mono, wall));
      this.#begin(id, { kind: "extend", lock, resolve, reject });
    });
  }

  verify(lock: HeldLock): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const id = this.#feed((core, mono, wall) => core.verify(lock.id, mono, wall));
      this.#begin(id, { kind: "verify", lock, resolve, reject });
    });
  }

  release(lock: HeldLock): void {
    this.#ledger.releasing();
    this.#feed((core, mono, wall) => core.release(lock.id, mono, wall));
    this.#flushSoon();
  }

  remaining(id: number): number {
    const left = this.#feed((core, mono, wall) => core.remaining(id, mono, wall));
    return typeof left === "number" ? left : 0;
  }

  overdue(): void {
    this.#feed((core, mono, wall) => core.timeout(mono, wall));
    this.#flushSoon();
  }

  wall(): number {
    return this.#settings.clock.wall();
  }

  /** The state at this moment. Throws an InternalError when the core cannot even tell that. */
  inspect(): ClientSnapshot {
    const state = this.#final ?? this.#feed((core) => core.inspect());
    if (state instanceof InternalError) throw state;
    return snapshotOf(this.#nodes, state, this.#ledger.inspect());
  }

  /** Ends everything, for at most `timeout` ms in good order. To be called once, and nothing after it. */
  close(timeout: number): Promise<void> {
    for (const [id, acquisition] of [...this.#ledger.pending]) {
      this.#cancel(id);
      acquisition.failed(new ClosedError("the client was closed before the lock was acquired"));
    }
    const lost = this.#ledger.releaseAll(new ClosedError("the client was closed"));
    // Runs the application's code, which is to find the client closed.
    queueMicrotask(() => this.#announce(lost));
    if (this.#core === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const { clock } = this.#settings;
      const grace = clock.setTimeout(() => this.#stop(), Math.min(timeout, LONGEST_DELAY));
      this.#onIdle = () => {
        clock.clearTimeout(grace);
        resolve();
      };
      this.#flushSoon();
    });
  }

  linkUp(link: Link): void {
    this.#feed((core, mono, wall) => core.connected(link.id, mono, wall));
    this.#drain();
  }

  linkData(link: Link, chunk: Uint8Array): void {
    this.#feed((core, mono, wall) => core.received(link.id, chunk, mono, wall));
    this.#drain();
  }

  linkDown(link: Link, reason: string, error: unknown): void {
    this.#links.delete(link.id);
    const node = this.#nodes[link.node];
    if (node !== undefined) node.lastError = { reason, error };
    this.#feed((core, mono, wall) => core.closed(link.id, reason, mono, wall));
    this.#drain();
  }

  #cancel(id: number): void {
    this.#ledger.pending.delete(id);
    this.#feed((core, mono, wall) => core.cancel(id, mono, wall));
    this.#flushSoon();
  }

  #begin(id: number | InternalError, operation: Operation): void {
    if (typeof id !== "number") {
      operation.reject(id);
    } else {
      this.#ledger.operations.set(id, operation);
      this.#flushSoon();
    }
  }

  /** The one door into the core. What it throws is a trap: there is nothing else that it throws. */
  #feed<T>(input: (core: Core, mono: number, wall: number) => T): T | InternalError {
    const { clock } = this.#settings;
    try {
      this.#core ??= this.#build();
      return input(this.#core, clock.now(), clock.wall());
    } catch (error) {
      return this.#trapped(error);
    }
  }

  #build(): Core {
    const { drift, retryMin, retryMax, nodeTimeout, connectTimeout } = this.#settings;
    this.#instance = this.#load();
    const core = new this.#instance.Core(drift, retryMin, retryMax, nodeTimeout, connectTimeout);
    if (this.#observer !== undefined) core.observe();
    for (const { user, password, database, transport } of this.#nodes) {
      core.add_node(user, password, database, transport.carrier === "commands");
    }
    return core;
  }

  #flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#drain();
    });
  }

  #drain(): void {
    // A transport or a listener that calls back from within a drain has fed the core; the outer loop goes on.
    this.#again = true;
    if (this.#draining) return;
    this.#draining = true;
    try {
      while (this.#again && this.#core !== undefined) {
        this.#again = false;
        try {
          const mono = this.#settings.clock.now();
          const records = new Records(this.#core, mono, this.wall());
          this.#again = !records.empty;
          if (this.#again) this.#perform(records);
          else this.#alarm.set(mono, records.delay);
        } catch (error) {
          this.#trapped(error);
        }
      }
    } finally {
      this.#draining = false;
    }
    this.#alarm.keepAlive(this.#ledger.waiting);
    const closing = this.#onIdle !== undefined && this.#core !== undefined;
    if (closing && this.#feed((core) => core.busy()) === 0) this.#stop();
  }

  #perform(records: Records): void {
    const core = this.#core;
    const lost = this.#ledger.settle(records);
    // From here on foreign code runs: it may call anything here, and a trap leaves the rest without meaning.
    this.#announce(lost);
    records.rewind();
    while (records.next() && this.#core === core) {
      const id = records.number(1);
      switch (records.number(0)) {
        case KIND.connect:
          this.#connect(id, records.number(2));
          break;
        case KIND.close:
          this.#links.get(id)?.drop();
          this.#links.delete(id);
          break;
        case KIND.transmit: {
          const bytes = core?.transmit(id);
          if (bytes !== undefined) this.#links.get(id)?.write(bytes);
          break;
        }
      }
    }
  }

  #announce(lost: readonly HeldLock[]): void {
    for (const lock of lost) lock.announceLoss();
    this.#observer?.tell();
  }

  #connect(id: number, index: number): void {
    const node = this.#nodes[index];
    if (node === undefined) return;
    const link = new Link(id, index, this);
    this.#links.set(id, link);
    link.dial(node.transport, node.address);
  }

  /** The instance is poisoned: all of it fails, and the next call gets a new one. */
  #trapped(error: unknown): InternalError {
    const internal =
      error instanceof InternalError
        ? error
        : new InternalError("the WebAssembly core failed; all locks of this client are lost", {
            cause: error,
          });
    const core = this.#core;
    if (core !== undefined) this.#instance?.abandon(core);
    this.#end(internal);
    return internal;
  }

  #stop(): void {
    this.#feed((core) => {
      this.#final = lastState(core.inspect());
      core.free();
    });
    this.#end(new ClosedError("the client was closed"));
  }

  /** Leaves nothing behind: no core, no connection, no timer, no promise that is still to settle. */
  #end(error: LockError): void {
    const links = [...this.#links.values()];
    const finished = this.#onIdle;
    this.#core = undefined;
    this.#onIdle = undefined;
    this.#links.clear();
    this.#alarm.clear();
    for (const link of links) link.drop();
    const lost = this.#ledger.end(error);
    finished?.();
    // Last, for it runs the application's code.
    this.#announce(lost);
  }
}
