// A soak on paper: what passed the connections at which time, and what the checker makes of two believers.
import { createHash } from "node:crypto";
import { Checker } from "../../soak/checker.js";
import { Wire } from "../../soak/wire.js";
import { encodeCommand } from "./frames.js";
import { sourceOf } from "./server-state.js";

const SHA = createHash("sha1").update(sourceOf("exclusive_acquire")).digest("hex");

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
    this.#nonce += 1;
    const nonce = `90${this.#nonce}`;
    const command = ["EVALSHA", SHA, "2", "lock:a", "lock:redlatch:fence:{lock:a}", nonce, "1000", "", token];
    const reply = `*2\r\n$${nonce.length}\r\n${nonce}\r\n:1\r\n`;
    this.pass(at - 1, client, server, "delivered", encodeCommand(command));
    this.pass(at, client, server, "answered", reply);
    // In two pieces: the last byte is what counts.
    this.pass(at, client, server, "told", reply.slice(0, -3));
    this.pass(told, client, server, "told", reply.slice(-3));
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
