// What is on the primaries.
import { DERIVED } from "../locks.js";
import { order } from "../order.js";
import { LONGEST_LEASE } from "./lanes.js";

/** One by one: a script may not look at keys of several slots. */
export class Inspector {
  #servers;
  #isSilent;
  #checker;

  /** `isSilent(server)`: it is stopped, and would not answer. */
  constructor(servers, isSilent, checker) {
    this.#servers = servers;
    this.#isSilent = isSilent;
    this.#checker = checker;
  }

  async look() {
    await Promise.all(this.#servers.map((server) => this.#lookAt(server)));
  }

  async #lookAt(server) {
    const names = await this.#keys(server, "*");
    // It is gone by now; or the server does not have that slot, because it moves, or is a replica's.
    const none = -2;
    const left = (key) =>
      order(server, "PTTL", key).catch((error) => {
        if (/^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN)\b/.test(error.message)) return none;
        throw error;
      });
    for (const key of names) {
      const ms = await left(key);
      const isLock = key.startsWith("lock:") && !key.startsWith(DERIVED);
      if (ms === -1 || (isLock && ms > LONGEST_LEASE))
        this.#checker.violated("expiry", `${key} (${ms} ms) is kept for too long`);
    }
  }

  /** Locks on any server that has their slots. */
  async left() {
    const all = await Promise.all(this.#servers.map((server) => this.#keys(server, "lock:*")));
    return all.flat().filter((key) => !key.startsWith(DERIVED));
  }

  async #keys(server, pattern) {
    if (this.#isSilent(server)) return [];
    const [role] = (await order(server, "ROLE")) ?? [];
    return role === "master" ? ((await order(server, "KEYS", pattern)) ?? []) : [];
  }
}
