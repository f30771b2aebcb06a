// node-redlock's API, version 5, over redlatch. It differs where redlatch decides: a release wakes waiters, who wait for as long as all
// retries would take at most; `using` extends at a third of the duration, earlier than at most thresholds; an extension never shortens a
// lease; `attempts` has the last round only, as far as it is known, and nothing for a success.
import { EventEmitter } from "node:events";
import { createClient, fromCommand, LockError } from "./redlatch.js";

const EXTENSION = { driftFactor: 0.01, automaticExtensionThreshold: 500 };
const DEFAULTS = { ...EXTENSION, retryCount: 10, retryDelay: 200, retryJitter: 100 };

export class ResourceLockedError extends Error {
  name = "ResourceLockedError";
}
export class ExecutionError extends Error {
  name = "ExecutionError";
  attempts = [];
}

class Lock {
  attempts = [];
  constructor(redlock, held) {
    Object.assign(this, { redlock, held, resources: held.keys, value: held.token });
    this.expiration = Date.now() + Math.floor(held.remaining);
  }
  release = () => this.redlock.release(this);
  extend = (duration) => this.redlock.extend(this, duration);
}

export default class Redlock extends EventEmitter {
  /** `clients`: ioredis clients, or URLs for connections of redlatch's own. */
  constructor(clients, settings) {
    super();
    this.on("error", () => {});
    Object.assign(this, { clients: [...clients], settings: { ...DEFAULTS, ...settings } });
    const nodes = this.clients.map((client) =>
      client.call ? { transport: fromCommand((args) => client.call(...args)) } : { url: client },
    );
    const { driftFactor: drift, retryDelay: delay, retryJitter: jitter } = this.settings;
    const retry = { min: Math.max(1, delay - jitter), max: Math.max(1, delay + jitter) };
    const observe = ({ type, error }) => {
      if (type === "contended") this.emit("error", new ResourceLockedError("Held by another."));
      else if (error) this.emit("error", new Error(error.message, { cause: error }));
    };
    const servers = nodes.length === 1 ? nodes[0] : { nodes };
    this.locks = createClient({ ...servers, prefix: "", drift, retry, observe });
  }

  async acquire(keys, duration, settings) {
    const options = this.#options(duration, settings);
    return new Lock(this, await this.locks.acquire(keys, options).catch(this.#fail));
  }

  async extend(lock, duration) {
    const { ttl } = this.#options(duration);
    if (lock.expiration === 0) throw new ExecutionError("Cannot extend an already-expired lock.");
    await lock.held.extend(ttl).catch(this.#fail);
    lock.expiration = 0;
    return new Lock(this, lock.held);
  }

  async release(lock) {
    lock.expiration = 0;
    const outcome = await lock.held.release();
    if (outcome !== "released") this.#fail(new ResourceLockedError(`The release: ${outcome}.`));
    return { attempts: [] };
  }

  async using(keys, duration, given, routine = given) {
    const options = this.#options(duration, given);
    if ((given.automaticExtensionThreshold ?? this.settings.automaticExtensionThreshold) > duration - 100)
      throw new Error("`duration` must exceed `automaticExtensionThreshold` by 100 ms at least.");
    const body = ({ signal }) =>
      routine(Object.defineProperty(signal, "error", { get: () => signal.reason }));
    return this.locks.using(keys, options, body).catch(this.#fail);
  }

  async quit() {
    await this.locks.close();
    await Promise.all(this.clients.map((client) => client.quit?.()));
  }

  #options(ttl, settings) {
    if (!Number.isInteger(ttl)) throw new Error("Duration must be an integer value in milliseconds.");
    const { retryCount, retryDelay, retryJitter } = { ...this.settings, ...settings };
    return { ttl, wait: retryCount === -1 ? Infinity : retryCount * (retryDelay + retryJitter) };
  }

  /** What is not about the lock, such as the routine's own error, stays as it is. */
  #fail = (cause) => {
    if (!(cause instanceof LockError || cause instanceof ResourceLockedError)) throw cause;
    const why = ["LOCK_TIMEOUT", "LOCK_LOST"].includes(cause.code) ? cause.cause : cause;
    const [votesFor, votesAgainst] = [new Set(), new Map()];
    this.clients.forEach((client, at) => {
      const { outcome, error } = cause.votes?.[at] ?? { error: why };
      if (outcome === "granted") votesFor.add(client);
      else votesAgainst.set(client, error ?? new ResourceLockedError("Held by another."));
    });
    const attempts = [Promise.resolve({ votesFor, votesAgainst })];
    throw Object.assign(new ExecutionError("Unable to achieve a quorum.", { cause }), { attempts });
  };
}
