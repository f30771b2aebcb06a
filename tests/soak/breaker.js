// Carries out the plan.
import { setTimeout as pause } from "node:timers/promises";
import { now } from "./host-time.js";

export class Breaker {
  /** How often, by kind. */
  counts = {};
  #stage;
  #actions;
  #note;

  /** `onDeath(client)`: a client was killed, and is not started again yet. `note(line)` hears of what is done. */
  constructor(stage, { onDeath, note }) {
    this.#stage = stage;
    this.#actions = { ...ON_LINKS, ...onClients(onDeath), ...stage.topology.actions };
    this.#note = note;
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
    const { clients, links } = this.#stage;
    const lasts = () => pause(fault.for);
    this.#note({ ...fault, planned: fault.at });
    const target = { client: clients[fault.client], link: links[fault.client]?.[fault.server] };
    if ((await this.#actions[kind](fault, lasts, target)) === false) return;
    this.counts[kind] = (this.counts[kind] ?? 0) + 1;
  }
}

/** What is done to a client, by kind. */
const onClients = (onDeath) => ({
  async "client stopped"(_, lasts, { client }) {
    client.stop();
    await lasts();
    client.resume();
  },
  async "client killed"(_, lasts, { client }) {
    await client.kill();
    onDeath(client);
    client.start();
    await lasts();
  },
  "event loop stalled": async ({ ms }, _, { client }) => client.tell("stall", { ms }),
  "clock stepped": async ({ ms }, _, { client }) => client.tell("step", { ms }),
  "waiting aborted": async (_, __, { client }) => client.tell("abort"),
});

async function deaf({ way }, lasts, { link }) {
  link.deaf = way;
  await lasts();
  link.deaf = false;
  // Bytes that were not passed on are missing from these streams.
  link.cut();
}

/** What is done to the proxy between a client and a server, by kind. */
const ON_LINKS = {
  async "replies late"({ ms }, lasts, { link }) {
    link.delay = ms;
    await lasts();
    link.delay = 0;
  },
  async "requests late"({ ms }, lasts, { link }) {
    link.requestDelay = ms;
    await lasts();
    link.requestDelay = 0;
  },
  "cut at a byte": async ({ bytes }, _, { link }) => link.cutIn(bytes),
  "deaf both ways": deaf,
  "deaf to requests": deaf,
  "deaf to replies": deaf,
  async "bytes in pieces"({ bytes }, lasts, { link }) {
    link.chunk = bytes;
    await lasts();
    link.chunk = Infinity;
  },
  async "reply dropped"(_, lasts, { link }) {
    const isDropped = await onNextReply(link, lasts, () => []);
    // The next reply tells, but on an idle connection none may come; and TCP loses nothing of a connection that lives.
    if (isDropped) link.cut();
    return isDropped;
  },
  "reply doubled": (_, lasts, { link }) => onNextReply(link, lasts, (frame) => [frame, frame]),
};

/** Counts only if a reply comes in time. */
async function onNextReply(link, lasts, replace) {
  let isDone = false;
  link.onFrame = (frame) => {
    link.onFrame = null;
    isDone = true;
    return replace(frame);
  };
  await lasts();
  link.onFrame = null;
  return isDone;
}
