// Carries out the plan.
import { setTimeout as pause } from "node:timers/promises";
import { now } from "./host-time.js";
import { order } from "./order.js";

/** Lock keys that an operator may delete. */
const LOCKS = "lock:*";

export class Breaker {
  /** How often, by kind. */
  counts = {};
  #stage;
  #checker;
  #onDeath;
  #write;

  /** `onDeath(client)`: a client was killed, and is not started again yet. `write(line)` hears what was done when. */
  constructor(stage, checker, { onDeath, write }) {
    this.#stage = stage;
    this.#checker = checker;
    this.#onDeath = onDeath;
    this.#write = write;
  }

  get total() {
    return Object.values(this.counts).reduce((sum, count) => sum + count, 0);
  }

  /** Resolves when the last fault is over. */
  async carryOut(faults) {
    const start = now();
    const running = [];
    let failure;
    for (const fault of faults) {
      await pause(Math.max(start + fault.at - now(), 0));
      if (failure !== undefined) break;
      const done = this.#inject(fault);
      done.catch((error) => {
        failure ??= error;
      });
      running.push(done);
    }
    await Promise.allSettled(running);
    if (failure !== undefined) throw failure;
  }

  async #inject(fault) {
    const { kind } = fault;
    const client = this.#stage.clients[fault.client];
    const server = this.#stage.servers[fault.server];
    const link = this.#stage.links[fault.client][fault.server];
    const lasts = () => pause(fault.for);
    // A fault that hits the next reply counts when that reply comes.
    if (!kind.startsWith("reply ")) this.#count(kind);
    this.#write({ ...fault, at: now(), planned: fault.at });
    switch (kind) {
      case "replies late":
        link.delay = fault.ms;
        await lasts();
        link.delay = 0;
        break;
      case "requests late":
        link.requestDelay = fault.ms;
        await lasts();
        link.requestDelay = 0;
        break;
      case "cut at a byte":
        link.cutIn(fault.bytes);
        break;
      case "deaf both ways":
      case "deaf to requests":
      case "deaf to replies":
        link.deaf = fault.way;
        await lasts();
        link.deaf = false;
        // Bytes that were not passed on are missing from these streams.
        link.cut();
        break;
      case "bytes in pieces":
        link.chunk = fault.bytes;
        await lasts();
        link.chunk = Infinity;
        break;
      case "reply dropped":
        await this.#onNextReply(link, fault, () => []);
        break;
      case "reply doubled":
        await this.#onNextReply(link, fault, (frame) => [frame, frame]);
        break;
      case "client stopped":
        client.stop();
        await lasts();
        client.resume();
        break;
      case "client killed":
        await client.kill();
        this.#onDeath(client);
        client.start();
        await lasts();
        break;
      case "event loop stalled":
        client.tell("stall", { ms: fault.ms });
        break;
      case "clock stepped":
        client.tell("step", { ms: fault.ms });
        break;
      case "waiting aborted":
        client.tell("abort");
        break;
      case "server stopped":
        server.redis.pause();
        await lasts();
        server.redis.resume();
        break;
      case "server killed":
        await this.#restart(server, lasts);
        break;
      case "scripts forgotten":
        await order(server, "SCRIPT", "FLUSH");
        break;
      case "connections killed":
        await order(server, "CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        break;
      case "key deleted":
        await this.#deleteKey(server, fault.which);
        break;
      case "all keys deleted": {
        const over = this.#checker.losing(server.group, undefined, now);
        await order(server, "FLUSHALL");
        over();
        break;
      }
    }
  }

  async #onNextReply(link, fault, replace) {
    link.onFrame = (frame) => {
      link.onFrame = null;
      this.#count(fault.kind);
      return replace(frame);
    };
    await pause(fault.for);
    link.onFrame = null;
  }

  async #restart(server, lasts) {
    const over = server.keeps
      ? () => {}
      : this.#checker.losing(server.group, undefined, now, { restarted: true });
    await server.restart(lasts);
    over();
  }

  async #deleteKey(server, which) {
    const names = (await order(server, "KEYS", LOCKS)) ?? [];
    if (names.length === 0) return;
    const name = names.sort()[which % names.length];
    this.#write({ at: now(), deleted: name });
    const over = this.#checker.losing(server.group, name.slice(LOCKS.length - 1), now);
    await order(server, "DEL", name);
    over();
  }

  #count(kind) {
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}
