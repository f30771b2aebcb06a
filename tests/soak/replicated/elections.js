// Which replica took over when, and what it had then: known from the servers' own words at once.
import { now } from "../host-time.js";

/** How often logs are read, ms. */
const EVERY = 5;
/** For how long an election is remembered, ms. */
const MEMORY = 120_000;

/** What is asked for of a server that took over: [the value, the milliseconds left] by name of a lock. */
export async function locksOn(redis, names) {
  const held = new Map();
  // A server that takes over may end all connections: one that is open serves all that follows.
  await redis.send("PING");
  const ask = async (name) => {
    const key = `lock:${name}`;
    const [value, left] = await Promise.all([redis.send("GET", key), redis.send("PTTL", key)]);
    held.set(name, { token: value, until: value === null ? 0 : now() + left });
  };
  // Of a key in a slot of another shard, or in one that is not served, nothing is said.
  const foreign = (error) => {
    if (!/^(MOVED|ASK|TRYAGAIN) /.test(error.message)) throw error;
  };
  await Promise.all(names.map((name) => ask(name).catch(foreign)));
  return held;
}

export class Elections {
  counts = {};
  #servers;
  #names;
  #won;
  #yields;
  #note;
  #all = [];
  #read;
  #causes = new Map();
  #stops = [];
  #listeners = new Set();

  /**
   * `servers`: { redis, shard } each; `names` of all locks; `won`: what a server logs as it takes over, and `yields` as it becomes a
   * replica. Ends with `scope`.
   */
  constructor(scope, { servers, names, won, yields, note }) {
    this.#servers = servers;
    this.#names = names;
    this.#won = won;
    this.#yields = yields;
    this.#note = note;
    // Elections so far belong to the start.
    this.#read = servers.map(({ redis }) => ({ redis, lines: redis.log.length }));
    const timer = setInterval(() => this.#look(), EVERY);
    scope.after(() => clearInterval(timer));
  }

  /** From now on, an election in that shard has this cause, until the function that is returned is called. */
  expect(shard, cause) {
    this.#causes.set(shard, cause);
    return () => this.#causes.delete(shard);
  }

  /** A server is stopped; it goes on when the function that is returned is called. */
  stopped(server) {
    const stop = { server, from: now(), to: Infinity };
    this.#stops.push(stop);
    return () => {
      stop.to = now();
    };
  }

  /** The next election in a shard. */
  next(shard) {
    return new Promise((resolve) => {
      const hear = (election) => {
        if (election.shard !== shard) return;
        this.#listeners.delete(hear);
        resolve(election);
      };
      this.#listeners.add(hear);
    });
  }

  /** Those that are remembered: { at, server, shard, cause, held, answered }, `held` as of {@link locksOn}, undefined if it did not say. */
  get all() {
    return this.#all;
  }

  /** The last one in the shard of a server until then. */
  before(server, at) {
    const { shard } = this.#servers[server];
    return this.#all.findLast((each) => each.shard === shard && each.at <= at);
  }

  /** Whether a server had been stopped when that happened. */
  wasStopped(server, at) {
    return this.#stops.some((stop) => stop.server === server && stop.from <= at && at <= stop.to);
  }

  #look() {
    for (const [server, { redis, shard }] of this.#servers.entries()) {
      if (this.#read[server].redis !== redis) this.#read[server] = { redis, lines: 0 };
      const read = this.#read[server];
      for (; read.lines < redis.log.length; read.lines += 1) {
        const line = redis.log[read.lines];
        if (this.#won.test(line)) this.#takesOver(server, shard, redis);
        else if (this.#yields?.test(line)) this.#gaveUp(server);
      }
    }
  }

  /** Who elected it was killed before it could tell anybody. */
  #gaveUp(server) {
    const last = this.before(server, now());
    if (last?.server !== server) return;
    this.#all.splice(this.#all.indexOf(last), 1);
    this.counts["failover that was given up"] = (this.counts["failover that was given up"] ?? 0) + 1;
  }

  async #takesOver(server, shard, redis) {
    const cause = this.#causes.get(shard) ?? "by itself";
    const election = { at: now(), server, shard, cause };
    this.counts[`failover: ${cause}`] = (this.counts[`failover: ${cause}`] ?? 0) + 1;
    this.#all.push(election);
    while (this.#all[0].at < now() - MEMORY) this.#all.shift();
    while (this.#stops[0]?.to < now() - MEMORY) this.#stops.shift();
    await this.#ask(election, redis);
    const { held = new Map(), ...more } = election;
    this.#note({ election: more, held: Object.fromEntries(held) });
    for (const hear of [...this.#listeners]) hear(election);
  }

  async #ask(election, redis) {
    for (;;) {
      try {
        election.held = await locksOn(redis, this.#names);
        election.answered = now();
        return;
      } catch (error) {
        // For a moment it does not know that it has taken over, or it has ended the connection. One that was killed says nothing,
        // and excuses nothing.
        const isPassing =
          /^CLUSTERDOWN |is closed$/.test(error.message) || /ECONNRESET|EPIPE/.test(error.code);
        if (!isPassing) return;
      }
    }
  }
}
