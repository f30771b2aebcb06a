// Everything that went over the connections lately, to find out how a violation came about.
import { closeSync, openSync, writeSync } from "node:fs";
import { now } from "./host-time.js";

/** For how long it is kept, ms: a client that is stopped writes late what it believed. */
const KEPT = 20_000;
/** How often what is older is forgotten, ms. */
const FORGETS = 1_000;

export class Wire {
  #passed = [];
  #next = 0;

  /** For `proxy.tap` between two of them. */
  tap(client, server) {
    return (stage, bytes, connection) => {
      const at = now();
      this.#passed.push({ at, client, server, connection, stage, bytes });
      if (at > this.#next) this.#forget(at);
    };
  }

  /** A line of JSON for each chunk; the bytes as latin1. One by one, because all of them may exceed the longest string. */
  writeTo(path) {
    const file = openSync(path, "w");
    for (const { bytes, ...more } of this.#passed) {
      writeSync(file, `${JSON.stringify({ ...more, bytes: bytes.toString("latin1") })}\n`);
    }
    closeSync(file);
  }

  #forget(at) {
    this.#next = at + FORGETS;
    const kept = this.#passed.findIndex((each) => each.at > at - KEPT);
    this.#passed.splice(0, kept);
  }
}
