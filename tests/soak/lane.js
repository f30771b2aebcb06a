// One lock after the other, and for each of them what its holder believes.
import { now } from "./host-time.js";
import { CONNECT_TIMEOUT, NODE_TIMEOUT } from "./locks.js";

/** What a promise may take beyond its bound, ms, in an event loop that runs. */
const SLACK = 250;
/** After a stall, the client listens again, or dials once more, and the timers of a busy machine add to that. */
const LISTEN_AGAIN = CONNECT_TIMEOUT + 500;
/** How long after the end of validity it is checked that the loss was reported, ms. */
const LOOK = 25;
/** Within which a lane gets its lock once faults are over, ms. */
const RECOVERY = 20_000;

export class Lane {
  #kind;
  #client;
  #random;
  #write;
  #credulous;
  #longestLease;
  #nodeTimeout;
  #number = 0;
  #aborts = new AbortController();
  #hold;
  #running;
  #ending = false;

  /** `credulous`: believes in a lock until it is released, which is wrong, and must be detected. */
  constructor(kind, client, { random, write, credulous, longestLease, nodeTimeout = NODE_TIMEOUT }) {
    this.#kind = kind;
    this.#client = client;
    this.#random = random;
    this.#write = write;
    this.#credulous = credulous;
    this.#longestLease = longestLease;
    this.#nodeTimeout = nodeTimeout;
  }

  run() {
    this.#running = this.#loop();
  }

  abort() {
    this.#aborts.abort(new Error("aborted by the soak"));
    this.#aborts = new AbortController();
  }

  renewed(keys) {
    const hold = this.#hold;
    if (hold && !hold.over && sameKeys(keys, hold.keys)) this.#believe(hold, "renewed");
  }

  async finish() {
    this.#ending = true;
    await this.#running;
    if (!(await this.#cycle({ wait: RECOVERY, signal: undefined }))) {
      this.#write("wrong", {
        rule: "recovery",
        text: `no ${this.#kind.name} lock in ${RECOVERY} ms without faults`,
      });
    }
  }

  async #loop() {
    while (!this.#ending) {
      await this.#cycle();
      await pause(this.#random.within(0, 40));
    }
  }

  async #cycle(more = {}) {
    const r = this.#random;
    const wait = r.chance(0.2) ? 0 : r.within(50, 4_000);
    const options = { wait, signal: this.#aborts.signal, ...this.#kind.options(r), ...more };
    this.#number += 1;
    const hold = { id: this.#number, keys: this.#kind.keys(r), over: false, until: 0 };
    this.#write("asks", { id: hold.id, keys: hold.keys, group: this.#kind.group });
    const lock = await this.#acquire(hold, options);
    if (!lock) return false;
    hold.lock = lock;
    this.#hold = hold;
    lock.signal.addEventListener("abort", () => this.#lost(hold));
    const fence = lock.fence === null ? null : String(lock.fence);
    this.#believe(hold, "granted", { fence, token: lock.token });
    // The process was stopped between the promise and here: a signal that has aborted calls no listener.
    if (lock.signal.aborted) this.#lost(hold);
    this.#watchLoss(hold);
    await this.#work(hold, options.ttl);
    await this.#release(hold);
    this.#hold = undefined;
    return true;
  }

  async #acquire(hold, { signal, ...options }) {
    const bound = options.wait > 0 ? options.wait : this.#nodeTimeout + CONNECT_TIMEOUT;
    const asked = this.#client.acquire(hold.keys, { signal, ...options });
    try {
      return await this.#bounded(asked, bound, "acquire", signal);
    } catch (error) {
      this.#write("refused", { id: hold.id, why: signal?.aborted ? "aborted" : error.code });
      if (!signal?.aborted && !error.code) throw error;
      return undefined;
    }
  }

  /** Some sections are short, some as long as the lease, some longer. */
  async #work(hold, ttl) {
    const r = this.#random;
    const length = r.weighted([
      [6, r.within(0, 20)],
      [3, r.within(0, ttl)],
      [1, r.within(ttl, Math.round(ttl * 1.5))],
    ]);
    // In the end, all others wait for their turn.
    const end = now() + (this.#ending ? 0 : length);
    const { lock } = hold;
    try {
      if (r.chance(0.1)) await this.#bounded(lock.verify(), this.#longestLease, "verify");
      if (r.chance(0.1)) {
        await this.#bounded(lock.extend(r.within(ttl, this.#longestLease)), this.#longestLease, "extend");
        this.#believe(hold, "renewed");
      }
    } catch (error) {
      // Faults are what this is about; what they may do to a lock is looked at elsewhere.
      if (!error.code) throw error;
    }
    const left = end - now();
    if (left > 0) await pause(left);
  }

  async #release(hold) {
    const lost = hold.lost === true;
    hold.over = true;
    this.#write("releases", { id: hold.id });
    const outcome = await this.#bounded(hold.lock.release(), 2 * this.#nodeTimeout + 1_000, "release");
    this.#write("released", { id: hold.id, outcome });
    if (lost && outcome !== "expired") {
      this.#write("wrong", { rule: "loss is for good", text: `a lost lock was ${outcome}` });
    }
    if (hold.lock.held) this.#write("wrong", { rule: "release is for good", text: "held after release" });
  }

  /** The clock is read first: the belief lasts for at least as long as said from then. */
  #believe(hold, what, more) {
    const at = now();
    const until = at + hold.lock.remaining;
    hold.until = Math.max(hold.until, until);
    this.#write(what, {
      id: hold.id,
      from: at,
      until: this.#credulous ? at + 10 * this.#longestLease : until,
      ...more,
    });
  }

  #lost(hold) {
    hold.lost = true;
    // A credulous one does not listen.
    if (hold.over || this.#credulous) return;
    hold.over = true;
    this.#write("lost", { id: hold.id });
    if (hold.lock.held) this.#write("wrong", { rule: "loss is for good", text: "held after its loss" });
  }

  /** The loss must be reported before any timer due after the end of validity: this loop's own lateness does not count. */
  async #watchLoss(hold) {
    while (!hold.over) {
      const { until } = hold;
      await pause(Math.max(until - now() + LOOK, 1), { ref: false });
      await turns();
      if (hold.over || hold.lost || hold.until > until) continue;
      const late = now() - until;
      // The late answer to an extension that was given up lengthens the lease too, without an event.
      if (hold.lock.held) {
        this.#believe(hold, "renewed");
        continue;
      }
      const text = `the loss was not told ${Math.round(late)} ms after the end of validity`;
      this.#write("wrong", { rule: "loss reported in time", text });
      return;
    }
  }

  /** `promise`, which has to settle within `bound` ms, or as soon as `signal` aborts. */
  async #bounded(promise, bound, verb, signal) {
    let settled = false;
    const watch = async (started, within) => {
      // After a stall, all that is overdue comes first, and the client listens again (rule 16).
      for (let calm = 0; calm < LISTEN_AGAIN; ) {
        const began = now();
        await pause(20);
        if (settled) return;
        // A further stall does not count.
        const took = now() - began;
        if (took < 60) calm += took;
      }
      const text = `${verb} did not settle ${Math.round(now() - started)} ms after it had to within ${within}`;
      this.#write("wrong", { rule: "settles", text });
    };
    const timer = setTimeout(watch, bound + SLACK, now(), bound);
    const aborted = () => setTimeout(watch, SLACK, now(), 0);
    signal?.addEventListener("abort", aborted);
    try {
      return await promise;
    } finally {
      settled = true;
      clearTimeout(timer);
      signal?.removeEventListener("abort", aborted);
    }
  }
}

/** The runtime's own timers, as in the package: Deno keeps no order between them and those of node:timers. */
function pause(ms, { ref = true } = {}) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    if (ref) return;
    if (typeof timer === "number") globalThis.Deno.unrefTimer(timer);
    else timer.unref();
  });
}

/** After a stall, all that is overdue comes first. */
async function turns() {
  for (let turn = 0; turn < 3; turn += 1) await pause(1);
}

const sameKeys = (one, other) => [...one].sort().join() === [...other].sort().join();
