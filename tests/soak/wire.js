// Everything that went over the connections lately, to find out how a violation came about.
import { closeSync, openSync, writeSync } from "node:fs";
import { now } from "./host-time.js";

/** For how long it is kept, ms: a client that is stopped writes late what it believed. */
const KEPT = 30_000;
/** How often what is older is forgotten, ms. */
const FORGETS = 1_000;

export class Wire {
  #clock;
  #passed = [];
  #next = 0;

  /** `clock()`: in place of the host's time. */
  constructor(clock = now) {
    this.#clock = clock;
  }

  /** For `proxy.tap` between two of them. */
  tap(client, server) {
    return (stage, bytes, connection) => {
      const at = this.#clock();
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

  /**
   * What passed a stage of a client's connections: { server, text, at(offset) } each, `at` being when that character did. What was
   * forgotten is missing at the beginning.
   */
  streams(client, stage) {
    const streams = new Map();
    for (const { at, bytes, ...from } of this.#passed) {
      if (from.client !== client || from.stage !== stage) continue;
      const name = `${from.server} ${from.connection}`;
      if (!streams.has(name)) streams.set(name, new Stream(from.server, from.connection));
      streams.get(name).add(at, bytes.toString("latin1"));
    }
    return [...streams.values()];
  }

  #forget(at) {
    this.#next = at + FORGETS;
    const kept = this.#passed.findIndex((each) => each.at > at - KEPT);
    this.#passed.splice(0, kept);
  }
}

class Stream {
  text = "";
  #times = [];

  constructor(server, connection) {
    this.server = server;
    this.connection = connection;
  }

  add(at, text) {
    this.text += text;
    this.#times.push({ at, end: this.text.length });
  }

  at(offset) {
    return this.#times.find(({ end }) => end > offset)?.at;
  }
}
