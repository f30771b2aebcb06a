// A soak on paper: what passed the connections at which time, and what the checker makes of two believers.
import { createHash } from "node:crypto";
import { Checker } from "../../soak/checker.js";
import { Wire } from "../../soak/wire.js";
import { encodeCommand } from "./frames.js";
import { sourceOf } from "./server-state.js";

const shaOf = (script) => createHash("sha1").update(sourceOf(script)).digest("hex");
const [ACQUIRE, EXTEND] = ["exclusive_acquire", "extend"].map(shaOf);

/** `excuseBy(checker)`, of a topology's own class, is what the topology excuses. */
export class PaperRun {
  time = 0;
  wire = new Wire(() => this.time);
  stalls = [];
  #taps = new Map();
  #nonce = 0;

  /** The process has two clients, with a connection each to that server. */
  pass(at, client, server, stage, bytes, number = 1) {
    this.time = at;
    const name = `${client} ${server}`;
    if (!this.#taps.has(name)) {
      const tap = this.wire.tap(client, server);
      this.#taps.set(name, tap);
      for (const each of [1, 2]) tap("asked", Buffer.from(`lock:redlatch:wake:c${each}\r\n`), each);
    }
    this.#taps.get(name)(stage, Buffer.from(bytes), number);
  }

  /** A server grants a token to a client at `at`, which hears of it at `told`. */
  grant(client, server, token, at, told = at) {
    const keys = ["2", "lock:a", "lock:redlatch:fence:{lock:a}"];
    this.#answer(client, server, (nonce) => [ACQUIRE, ...keys, nonce, "1000", "", token], [1], at, told);
  }

  /** A server has no lock with that token, but one with the token "other", which is asked for in the same call. */
  deny(client, server, token, at, told = at) {
    const command = (nonce) => [EXTEND, "2", "lock:b", "lock:a", nonce, "1000", "other", token];
    this.#answer(client, server, command, [1, 0], at, told);
  }

  #answer(client, server, commandOf, results, at, told) {
    this.#nonce += 1;
    const nonce = `90${this.#nonce}`;
    const command = ["EVALSHA", ...commandOf(nonce)];
    const items = results.map((result) => `:${result}\r\n`).join("");
    const reply = `*${results.length + 1}\r\n$${nonce.length}\r\n${nonce}\r\n${items}`;
    this.pass(at - 1, client, server, "delivered", encodeCommand(command));
    this.pass(at, client, server, "answered", reply);
    // In two pieces: the last byte is what counts.
    this.pass(at, client, server, "told", reply.slice(0, -3));
    this.pass(told, client, server, "told", reply.slice(-3));
  }

  /** What the checker says of a belief of client 1 that ends at `lost`; the others as in `judge`. */
  judgeLoss({ token, from, until, lost }) {
    const checker = new Checker();
    checker.excuse = this.excuseBy(checker);
    const line = { lane: "plain", id: 1 };
    const hear = (at, what, more) => checker.hear("node-1-1", { at, what, ...more });
    hear(0, "started");
    hear(from - 1, "asks", { ...line, keys: ["a"], group: "unconfirmed" });
    hear(from, "granted", { ...line, from, until, fence: "1", token });
    hear(lost, "lost", line);
    return checker.violations.map(({ rule }) => rule);
  }

  /** What the checker says of two beliefs, { token, from, until, began } each. */
  judge(one, other, group = "unconfirmed") {
    const checker = new Checker();
    checker.excuse = this.excuseBy(checker);
    for (const [index, { token, from, until, began = 0 }] of [one, other].entries()) {
      const line = { lane: "plain", id: 1 };
      const client = `node-${index}-1`;
      checker.hear(client, { at: began, what: "started" });
      checker.hear(client, { ...line, at: from - 1, what: "asks", keys: ["a"], group });
      for (const [begin, end] of this.stalls)
        checker.hear(client, { ...line, at: end, what: "stalled", from: begin });
      checker.hear(client, { ...line, at: from, what: "granted", from, until, fence: String(from), token });
      checker.ended(client);
    }
    return checker.violations.map(({ rule }) => rule);
  }
}
