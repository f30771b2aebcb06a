import type { CoreLoader } from "../core/loading.js";
import { type ErrorRecord, Records } from "../core/records.js";
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
import { type ConnectionOwner, NodeConnection } from "./connection.js";
import { type CoreState, finalState, snapshotOf } from "./inspect.js";
import { Observer } from "./observer.js";
import { type Operation, Pending } from "./pending.js";
import { LONGEST_DELAY, Timer } from "./timer.js";
import { type NodeInfo, toLockError } from "./to-error.js";

/**
 * Owns the core, the connections and the one timer. Each input is fed into the core, and then everything that follows
 * from it is drained before the event loop goes on. The application's calls are drained once per microtask: all calls of
 * one tick go out in one write.
 */
export class Driver implements LockDriver, ConnectionOwner {
  readonly #settings: Settings;
  readonly #load: CoreLoader;
  readonly #nodes: (Node & NodeInfo & { lastError: NodeInfo["lastError"] })[];
  readonly #timer: Timer;
  readonly #observer: Observer | undefined;
  readonly #pending: Pending;
  readonly #connections = new Map<number, NodeConnection>();
  #instance: Instance | undefined;
  #core: Core | undefined;
  #flushing = false;
  #draining = false;
  #again = false;
  #onIdle: (() => void) | undefined;
  /** The last state, for `inspect` after the end. */
  #final: CoreState | undefined;

  constructor(settings: Settings, load: CoreLoader) {
    this.#settings = settings;
    this.#load = load;
    this.#nodes = settings.nodes.map((node) => ({ ...node, tls: node.address.tls, lastError: undefined }));
    this.#observer = settings.observe && new Observer(settings.observe, this.#nodes);
    const toError = (record: ErrorRecord) => toLockError(record, this.#nodes, this.wall());
    this.#pending = new Pending(this, toError, this.#observer, this.#nodes.length > 1);
    this.#timer = new Timer(settings.clock, () => {
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
        // The request is invalid. Anything else is a trap.
        if (error instanceof TypeError) return error;
        throw error;
      }
    });
    if (typeof id !== "number") {
      acquisition.reject(id);
      return acquisition.promise;
    }
    this.#pending.acquisitions.set(id, acquisition);
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
    this.#pending.addRelease();
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

  /** The state at this moment. Throws an InternalError when the core fails over it. */
  inspect(): ClientSnapshot {
    const state = this.#final ?? this.#feed((core) => core.inspect());
    if (state instanceof InternalError) throw state;
    return snapshotOf(this.#nodes, state, this.#pending.inspect());
  }

  /** Ends everything, with at most `timeout` ms for clean-up. Must be called once, and nothing after it. */
  close(timeout: number): Promise<void> {
    for (const [id, acquisition] of [...this.#pending.acquisitions]) {
      this.#cancel(id);
      acquisition.reject(new ClosedError("the client was closed before the lock was acquired"));
    }
    const lost = this.#pending.releaseAll(new ClosedError("the client was closed"));
    // This runs the application's code, which must find the client closed.
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

  handleConnected(connection: NodeConnection): void {
    this.#feed((core, mono, wall) => core.connected(connection.id, mono, wall));
    this.#drain();
  }

  handleBytes(connection: NodeConnection, bytes: Uint8Array): void {
    this.#feed((core, mono, wall) => core.received(connection.id, bytes, mono, wall));
    this.#drain();
  }

  handleClosed(connection: NodeConnection, reason: string, error: unknown): void {
    this.#connections.delete(connection.id);
    const node = this.#nodes[connection.node];
    if (node === undefined) return;
    node.lastError = { connection: connection.id, error };
    // Sockets' messages often name the server already.
    const located = reason.includes(node.name) ? reason : `${node.name}: ${reason}`;
    this.#feed((core, mono, wall) => core.closed(connection.id, located, mono, wall));
    this.#drain();
  }

  #cancel(id: number): void {
    this.#pending.acquisitions.delete(id);
    this.#feed((core, mono, wall) => core.cancel(id, mono, wall));
    this.#flushSoon();
  }

  #begin(id: number | InternalError, operation: Operation): void {
    if (typeof id !== "number") {
      operation.reject(id);
    } else {
      this.#pending.operations.set(id, operation);
      this.#flushSoon();
    }
  }

  /** The only way into the core. Whatever it throws is a trap. */
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
    // A transport or a listener that calls back during a drain has fed the core; the outer loop goes on.
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
          else this.#timer.set(mono, records.delay);
        } catch (error) {
          this.#trapped(error);
        }
      }
    } finally {
      this.#draining = false;
    }
    this.#timer.keepAlive(this.#pending.any);
    const closing = this.#onIdle !== undefined && this.#core !== undefined;
    if (closing && this.#feed((core) => core.busy()) === 0) this.#stop();
  }

  #perform(records: Records): void {
    const core = this.#core;
    const lost = this.#pending.settle(records);
    // From here on foreign code runs: it may call any method here, and after a trap the remaining records mean nothing.
    this.#announce(lost);
    records.rewind();
    while (records.next() && this.#core === core) {
      const id = records.number(1);
      switch (records.number(0)) {
        case KIND.connect:
          this.#connect(id, records.number(2));
          break;
        case KIND.close:
          this.#connections.get(id)?.drop();
          this.#connections.delete(id);
          break;
        case KIND.transmit: {
          const bytes = core?.transmit(id);
          if (bytes !== undefined) this.#connections.get(id)?.write(bytes);
          break;
        }
      }
    }
  }

  #announce(lost: readonly HeldLock[]): void {
    for (const lock of lost) lock.announceLoss();
    this.#observer?.deliver();
  }

  #connect(id: number, index: number): void {
    const node = this.#nodes[index];
    if (node === undefined) return;
    const connection = new NodeConnection(id, index, this);
    this.#connections.set(id, connection);
    connection.dial(node.transport, node.address);
  }

  /** A trap leaves the instance unusable: everything in it fails, and the next call gets a new one. */
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
      this.#final = finalState(core.inspect());
      core.free();
    });
    this.#end(new ClosedError("the client was closed"));
  }

  /** Leaves nothing behind: no core, no connection, no timer, no unsettled promise. */
  #end(error: LockError): void {
    const connections = [...this.#connections.values()];
    const finished = this.#onIdle;
    this.#core = undefined;
    this.#onIdle = undefined;
    this.#connections.clear();
    this.#timer.clear();
    for (const connection of connections) connection.drop();
    const lost = this.#pending.failAll(error);
    finished?.();
    // Last, because it runs the application's code.
    this.#announce(lost);
  }
}
