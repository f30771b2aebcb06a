// Puts what all clients believed beside each other, and says which rule was broken.
import { indexOf } from "./contender.js";
import { now as hostTime, PRECISION } from "./host-time.js";

/**
 * How long before the end of validity a loss may be reported, ms. A process that is not scheduled between its readings of the two
 * clocks takes that for time that has passed, as after a suspension; a busy machine does that for tens of ms.
 */
const NOTICE = 100;
/** Beliefs are compared with those that ended at most so long before them, ms: clients write late when they are stopped. */
const MEMORY = 60_000;

export class Checker {
  violations = [];
  counts = {};
  #holds = new Map();
  #stepped = new Map();
  /** By key: { client, token, fence, asked, start, end, until }, of what is over. */
  #beliefs = new Map();
  #losses = [];
  #stalls = new Map();
  /** When each life of each client began: [number of the client, time]. */
  #starts = [];
  #tell;

  /** `tell(violation)` hears of each at once. */
  constructor(tell = () => {}) {
    this.#tell = tell;
  }

  /** What the topology excuses: (first, second, key) => why, or undefined; without `second`: that the first lost its lock. */
  excuse = () => undefined;

  /**
   * A server of `group` loses `key`, or all of them, between now or `from` and when the function that is returned is called. `restarted`:
   * it was down for longer than any lease, which Redlock has to endure: then only losses are excused, and not two believers.
   */
  losing(group, key, { restarted = false, now = hostTime, from = now() } = {}) {
    const loss = { group, key, from, to: Infinity, restarted };
    this.#losses.push(loss);
    return () => {
      loss.to = now();
    };
  }

  /** A line of a client's log, in the log's order. */
  hear(client, { at, what, lane, id, ...more }) {
    this.#count(what === "refused" ? `refused: ${more.why}` : what);
    const name = `${client} ${lane} ${id}`;
    const hold = this.#holds.get(name);
    switch (what) {
      case "asks":
        this.#holds.set(name, {
          client,
          keys: more.keys,
          group: more.group,
          asked: at,
          end: Infinity,
          until: 0,
        });
        break;
      case "granted":
        hold.start = more.from;
        hold.fence = more.fence === null ? null : BigInt(more.fence);
        hold.token = more.token;
        hold.until = more.until;
        break;
      case "renewed":
        hold.until = Math.max(hold.until, more.until);
        break;
      case "lost":
        hold.lost = true;
        this.#lost(hold, at);
        hold.end = Math.min(hold.end, at);
        break;
      case "releases":
        hold.end = Math.min(hold.end, at);
        break;
      case "released":
        this.#count(`released: ${more.outcome}`);
        this.#released(hold, at, more.outcome);
        this.#over(name);
        break;
      case "refused":
        this.#holds.delete(name);
        break;
      case "started":
        this.#starts.push([indexOf(client), at]);
        break;
      case "stepped":
        this.#stepped.set(client, at);
        break;
      case "stalled":
        this.#stalls.set(client, [...(this.#stalls.get(client) ?? []), { from: more.from, to: at }]);
        break;
      case "wrong":
        this.#violated(more.rule, `${client}: ${more.text}`, at);
        break;
      case "finished":
        if (Math.abs(more.astray) > PRECISION) {
          this.#violated(
            "clock",
            `${client}: its clock is ${more.astray} ms astray, so its log proves nothing`,
            at,
          );
        }
        break;
    }
  }

  /** A client is no more. What it believed in lasts until the end of validity: nobody may have it before. */
  ended(client) {
    for (const [name, hold] of [...this.#holds]) {
      if (hold.client === client) this.#over(name);
    }
  }

  /** The time of those that are dead is over: what happens from now on cannot concern what ended long before. */
  forget(time) {
    for (const beliefs of this.#beliefs.values()) {
      let old = 0;
      while (old < beliefs.length && beliefs[old].end < time - MEMORY) old += 1;
      beliefs.splice(0, old);
    }
    for (const [client, stalls] of this.#stalls) {
      this.#stalls.set(
        client,
        stalls.filter(({ to }) => to > time - MEMORY),
      );
    }
  }

  /** When the event loop of a client came to what had arrived at that time. */
  readAt(client, time) {
    return this.#stalls.get(client)?.find(({ from, to }) => from <= time && time < to)?.to ?? time;
  }

  /** When the life of a client's process began that it had at that time. */
  beganAt(number, time) {
    return this.#starts.findLast(([client, at]) => client === number && at <= time)?.[1];
  }

  violated(rule, text) {
    this.#violated(rule, text, 0);
  }

  #lost(hold, at) {
    if (at >= hold.until - NOTICE) return;
    if (this.#stepped.get(hold.client) >= hold.asked || this.#isExcused(hold, at)) return;
    const text = `${hold.client} lost ${hold.keys} ${Math.round(hold.until - at)} ms before the end of its validity`;
    this.#violated("lost without a cause", text, at);
  }

  #released(hold, at, outcome) {
    if (
      outcome !== "expired" ||
      hold.lost ||
      at >= hold.until - NOTICE ||
      this.#stepped.get(hold.client) >= hold.asked
    )
      return;
    if (this.#isExcused(hold, at)) return;
    const text = `${hold.keys} of ${hold.client} was gone ${Math.round(hold.until - at)} ms before the end of its validity`;
    this.#violated("released by another", text, at);
  }

  #over(name) {
    const hold = this.#holds.get(name);
    this.#holds.delete(name);
    const end = Math.min(hold.end, hold.until);
    // One that had nothing left when it was looked at was never believed in.
    if (hold.start === undefined || end <= hold.start) return;
    for (const key of hold.keys) {
      const belief = { ...hold, end };
      const others = this.#beliefs.get(key) ?? [];
      for (const other of others) this.#compare(key, other, belief);
      others.push(belief);
      this.#beliefs.set(key, others);
    }
  }

  #compare(key, one, other) {
    const [first, second] = one.start <= other.start ? [one, other] : [other, one];
    const overlap = Math.min(first.end, second.end) - second.start;
    if (overlap > PRECISION) {
      const why = this.#whyBoth(first, second, key);
      if (why) return this.#count(`two believers, excused: ${why}`);
      const text = `${first.client} and ${second.client} both held ${key} for ${overlap.toFixed(1)} ms`;
      this.#violated("exclusion", text, second.start);
    } else if (first.fence !== null && first.fence >= second.fence) {
      const why = this.#whyBoth(first, second, key);
      if (why) return this.#count(`smaller fence, excused: ${why}`);
      const text = `${key} had ${first.fence} at ${first.client}, and then ${second.fence} at ${second.client}`;
      this.#violated("fence", text, second.start);
    }
  }

  /** Why the one who believed first is not protected from the other, or undefined. */
  #whyBoth(first, second, key) {
    // The smaller fence was granted first, though its holder heard of it later.
    const isOlder = second.fence !== null && second.fence < first.fence;
    if ((isOlder ? [first, second] : [first]).some((hold) => this.#wasLost(hold, second.start, false)))
      return "the key was deleted";
    return this.excuse(first, second, key);
  }

  /** Whether a lock may end before its validity does. */
  #isExcused(hold, at) {
    if (this.#wasLost(hold, at, true)) return true;
    const why = this.excuse({ ...hold, end: at });
    if (why) this.#count(`lost early, excused: ${why}`);
    return why !== undefined;
  }

  /** Whether a server lost what this lock rests on, after it was asked for and until then. */
  #wasLost({ group, keys, asked }, until, withRestarts) {
    return this.#losses.some(
      (loss) =>
        loss.group === group &&
        (withRestarts || !loss.restarted) &&
        (loss.key === undefined || keys.includes(loss.key)) &&
        loss.to >= asked &&
        loss.from <= until,
    );
  }

  #count(what) {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }

  #violated(rule, text, at) {
    const violation = { rule, text, at };
    this.violations.push(violation);
    this.#tell(violation);
  }
}
