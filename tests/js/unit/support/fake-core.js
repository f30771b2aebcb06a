// A core that does what the test says, in place of the wasm: records what was fed, and polls what was queued.

import {
  CAUSE,
  CODE,
  HEAD_LENGTH,
  KIND,
  LOSS,
  RECORD_LENGTH,
  RELEASE_OUTCOME,
} from "../../../../pkg/dist/core/wire.js";

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

/** Where in its memory a fake core has the room, the numbers and the bytes to send. */
const [ROOM, NUMBERS, OUTGOING] = [8, 1 << 14, 1 << 15];

export class FakeCore {
  memory = new WebAssembly.Memory({ initial: 1 });
  calls = [];
  /** What the constructor was given. */
  settings = {};
  records = [];
  details = [];
  /** The records that a close leads to. */
  onClose = [];
  /** The bytes of the next transmit record of a connection. */
  outgoing = new Map();
  delay = Number.POSITIVE_INFINITY;
  left = 1000;
  alive = 0;
  debts = 0;
  freed = false;
  trapIn = undefined;
  /** The announced addresses of servers that it has learnt of, by index. */
  learnt = {};
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

  /** The clock at each acquire. */
  asked = [];

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
  cluster(addresses) {
    this.#enter("cluster", addresses);
    return true;
  }
  address(node) {
    this.#enter("address", node);
    return this.learnt[node] ?? "";
  }
  voter(node) {
    this.#enter("voter", node);
    return 0;
  }
  observe(wanted) {
    this.#enter("observe", wanted);
  }
  inspect() {
    this.#enter("inspect");
    return this.snapshot;
  }
  room(length) {
    this.#enter("room", length);
    return ROOM;
  }
  /** What is in the room, as text. */
  #given(length) {
    return Buffer.from(this.memory.buffer, ROOM, length).toString("latin1");
  }
  acquire(length, keys, ttl, wait, flags, maxHold, fence, mono) {
    this.asked.push(mono);
    const names = [];
    for (let rest = Buffer.from(this.memory.buffer, ROOM, length); rest.length > 0; ) {
      const end = 4 + rest.readUInt32LE();
      names.push(rest.toString("utf8", 4, end));
      rest = rest.subarray(end);
    }
    this.#enter("acquire", {
      keys: names.slice(0, keys),
      token: names[keys],
      ttl,
      wait,
      flags,
      maxHold,
      fence,
    });
    return ++this.#ids;
  }
  refused() {
    this.#enter("refused");
    return this.refusal;
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
  received(id, length) {
    this.#enter("received", id, this.#given(length));
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
    let end = OUTGOING;
    const records = this.records.splice(0).map((record) => {
      if (record[0] !== KIND.transmit) return record;
      const bytes = Buffer.from(this.outgoing.get(record[1]) ?? "");
      const at = end;
      bytes.copy(Buffer.from(this.memory.buffer), at);
      end += bytes.length;
      return record.with(2, at).with(3, bytes.length);
    });
    const numbers = records.flat();
    const head = [HEAD_LENGTH + numbers.length, this.delay, this.debts, this.backlog ? 1 : 0];
    new Float64Array(this.memory.buffer, NUMBERS).set([...head, ...numbers]);
    return NUMBERS;
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
    Core: function Core(drift, retryMin, retryMax, nodeTimeout, connectTimeout, prefix, label) {
      const core = new FakeCore();
      core.settings = { drift, retryMin, retryMax, nodeTimeout, connectTimeout, label };
      core.settings.prefix = Buffer.from(prefix).toString();
      prepare(core, cores.length);
      cores.push(core);
      return core;
    },
    get memory() {
      return cores.at(-1).memory;
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
