// Everything that went over the connections lately, to find out how a violation came about.
import { closeSync, openSync, writeSync } from "node:fs";
import { now } from "./host-time.js";

/** For how long it is kept, ms: a client that is stopped writes late what it believed. */
const KEPT = 30_000;
/** How often what is older is forgotten, ms. */
const FORGETS = 1_000;

/** On each of its connections, a client subscribes to its own wake-ups first. */
const OWNER = /redlatch:wake:([0-9a-f]+)/;

export class Wire {
  #clock;
  #passed = [];
  /** Which of a process's clients a connection is of. */
  #owners = new Map();
  #next = 0;
  /** By process and stage: made once for all questions between two chunks, because making them takes long. */
  #streams = new Map();

  /** `clock()`: in place of the host's time. */
  constructor(clock = now) {
    this.#clock = clock;
  }

  /** For `proxy.tap` between two of them. */
  tap(client, server) {
    return (stage, bytes, connection) => {
      const at = this.#clock();
      this.#streams.clear();
      this.#passed.push({ at, client, server, connection, stage, bytes });
      if (stage === "asked") this.#learn(`${client} ${server} ${connection}`, bytes);
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

  #learn(connection, bytes) {
    if (this.#owners.has(connection)) return;
    const owner = OWNER.exec(bytes.toString("latin1"))?.[1];
    if (owner !== undefined) this.#owners.set(connection, owner);
  }

  /** The processes whose connections it has. */
  get clients() {
    return [...new Set(this.#passed.map(({ client }) => client))];
  }

  /**
   * What passed a stage of the connections of a process: { server, connection, owner, text, at(offset) } each: `owner` is the client in
   * that process, `at` when that character passed. What was forgotten is missing at the beginning.
   */
  streams(client, stage) {
    const name = `${client} ${stage}`;
    if (!this.#streams.has(name)) this.#streams.set(name, this.#streamsOf(client, stage));
    return this.#streams.get(name);
  }

  #streamsOf(client, stage) {
    const streams = new Map();
    for (const { at, bytes, ...from } of this.#passed) {
      if (from.client !== client || from.stage !== stage) continue;
      const name = `${from.server} ${from.connection}`;
      const owner = this.#owners.get(`${client} ${name}`);
      if (!streams.has(name)) streams.set(name, new Stream({ ...from, owner }));
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

/** Wake-ups, which are in no order with replies: one that is dropped or doubled means nothing. */
const WAKE_UP = />3\r\n\$7\r\nmessage\r\n\$\d+\r\n[^\r]*\r\n\$\d+\r\n[^\r]*\r\n/g;
/** How much later than it came a byte may pass, ms: so much is missing at the beginnings of a connection's streams, or not. */
const LATEST = 1_000;

class Stream {
  text = "";
  #times = [];

  constructor({ server, connection, owner }) {
    this.server = server;
    this.connection = connection;
    this.owner = owner;
  }

  add(at, text) {
    this.text += text;
    this.#times.push({ at, end: this.text.length });
  }

  /** Whether both are of one connection. */
  isOf({ server, connection }) {
    return server === this.server && connection === this.connection;
  }

  at(offset) {
    return this.#times.find(({ end }) => end > offset)?.at;
  }

  /** Whether all replies up to that offset passed the stage before it just so: none was dropped or doubled. */
  isWhole(offset, before) {
    const [first] = this.#times;
    const isComplete = before.text.startsWith(this.text.slice(0, first.end));
    const later = this.#times.findIndex(({ at }) => at > first.at + LATEST);
    const start = isComplete || later < 1 ? 0 : this.#times[later - 1].end;
    const replies = (text) => text.replaceAll(WAKE_UP, "");
    return start > offset || replies(before.text).includes(replies(this.text.slice(start, offset)));
  }
}
