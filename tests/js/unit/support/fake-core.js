// A core that does what the test says, in place of the wasm: records what was fed, and polls what was queued.

import { CAUSE, CODE, KIND, LOSS, RECORD_LENGTH, RELEASE_OUTCOME } from "../../../../pkg/dist/core/wire.js";

export { CAUSE, CODE, KIND, LOSS, RELEASE_OUTCOME };

const record = (numbers) => [...numbers, ...new Array(RECORD_LENGTH - numbers.length).fill(0)];

/** The record of an acquire that failed; its strings are to be pushed to `details`. */
export function failed(id, { code, node = -1, cause = CAUSE.unknown, connection = 0, attempts = 0 }) {
  return [KIND.failed, id, code, node, cause, connection, attempts];
}

/** The record of an operation that failed. */
export function operationFailed(id, error) {
  return [KIND.operationFailed, ...failed(id, error).slice(1)];
}

export class FakeCore {
  calls = [];
  records = [];
  details = [];
  /** The records that a close leads to. */
  onClose = [];
  outgoing = new Map();
  delay = Number.POSITIVE_INFINITY;
  left = 1000;
  alive = 0;
  debts = 0;
  freed = false;
  trapIn = undefined;
  snapshot = {
    nodes: [{ state: "ready", pending: 1, wakes: true }],
    held: 1,
    waiting: 1,
    releasing: 2,
    counters: { attempts: 7 },
  };
  #ids = 0;

  queue(...numbers) {
    this.records.push(record(numbers));
  }

  #enter(name, ...args) {
    if (this.trapIn === name) throw new WebAssembly.RuntimeError("unreachable");
    this.calls.push([name, ...args]);
  }

  count(name) {
    return this.calls.filter(([called]) => called === name).length;
  }

  add_node(...args) {
    this.#enter("add_node", ...args);
    return 0;
  }
  observe(wanted) {
    this.#enter("observe", wanted);
  }
  inspect() {
    this.#enter("inspect");
    return this.snapshot;
  }
  acquire(bytes, lengths, token, ttl, wait, flags, maxHold, fence) {
    this.#enter("acquire", {
      bytes: Buffer.from(bytes).toString(),
      lengths: [...lengths],
      token,
      ttl,
      wait,
      flags,
      maxHold,
      fence,
    });
    return ++this.#ids;
  }
  cancel(id) {
    this.#enter("cancel", id);
  }
  release(id) {
    this.#enter("release", id);
  }
  extend(id, ttl) {
    this.#enter("extend", id, ttl);
    return ++this.#ids;
  }
  verify(id) {
    this.#enter("verify", id);
    return ++this.#ids;
  }
  close(occupied) {
    this.#enter("close", [...occupied]);
    this.records.push(...this.onClose.map(record));
  }
  remaining(id) {
    this.#enter("remaining", id);
    return this.left;
  }
  busy() {
    return this.alive;
  }
  owed() {
    return this.debts;
  }
  connected(id) {
    this.#enter("connected", id);
  }
  received(id, bytes) {
    this.#enter("received", id, Buffer.from(bytes).toString());
  }
  closed(id, reason) {
    this.#enter("closed", id, reason);
  }
  absence() {
    this.#enter("absence");
  }
  timeout() {
    this.#enter("timeout");
  }
  poll() {
    this.#enter("poll");
    return Float64Array.from([this.delay, ...this.records.splice(0).flat()]);
  }
  transmit(id) {
    this.#enter("transmit", id);
    return Buffer.from(this.outgoing.get(id) ?? "");
  }
  detail() {
    return this.details.shift() ?? "no detail was queued";
  }
  free() {
    this.freed = true;
  }
}

/** A loader for openClient; `cores` collects what it made, `abandoned` what has trapped. */
export function fakeLoader(prepare = () => {}) {
  const cores = [];
  const abandoned = [];
  const load = () => ({
    Core: function Core() {
      const core = new FakeCore();
      prepare(core, cores.length);
      cores.push(core);
      return core;
    },
    abandon: (core) => abandoned.push(core),
  });
  return { load, cores, abandoned };
}

/** A clock that only the test moves. */
export class FakeClock {
  time = 1000;
  timers = new Map();
  armed = 0;
  #handles = 0;
  now = () => this.time;
  wall = () => 1_700_000_000_000 + this.time;
  setTimeout = (callback, delay) => {
    this.armed += 1;
    const handle = {
      id: ++this.#handles,
      kept: true,
      ref: () => (handle.kept = true),
      unref: () => (handle.kept = false),
    };
    this.timers.set(handle, { at: this.time + delay, callback });
    return handle;
  };
  clearTimeout = (handle) => void this.timers.delete(handle);
  advance(ms) {
    this.time += ms;
    for (const [handle, { at, callback }] of [...this.timers]) {
      if (at <= this.time && this.timers.delete(handle)) callback();
    }
  }
}

/** A transport whose connections the test answers for. */
export class FakeTransport {
  dials = [];
  connect = (address, handler, signal) =>
    new Promise((resolve, reject) => {
      const connection = {
        written: [],
        closed: 0,
        kept: true,
        ref: () => (connection.kept = true),
        unref: () => (connection.kept = false),
        write: (bytes) => void connection.written.push(Buffer.from(bytes).toString()),
        close() {
          connection.closed += 1;
        },
      };
      this.dials.push({
        address,
        handler,
        signal,
        resolve: () => resolve(connection),
        reject,
        connection,
      });
    });
}

/** Lets all microtasks that are due run. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));
