// Who may do something to a shard: one after the other.

export class Turns {
  #taken = new Set();
  #waiting = [];

  isFree(...names) {
    return names.every((name) => !this.#taken.has(name));
  }

  /** Calls `action` as soon as all these are free, before those that wait since later; resolves with its result. */
  async take(names, action) {
    if (this.isFree(...names)) this.#claim(names);
    else await new Promise((begin) => this.#waiting.push({ names, begin }));
    try {
      return await action();
    } finally {
      for (const name of names) this.#taken.delete(name);
      this.#serve();
    }
  }

  #claim(names) {
    for (const name of names) this.#taken.add(name);
  }

  #serve() {
    for (const next of [...this.#waiting]) {
      if (!this.isFree(...next.names)) continue;
      this.#waiting.splice(this.#waiting.indexOf(next), 1);
      this.#claim(next.names);
      next.begin();
    }
  }
}
