// One contender, in any runtime: its lanes take locks and let go of them, and it writes down what it believes.
import { openSync, writeSync } from "node:fs";
import { createInterface } from "node:readline";
import { stall } from "../js/support/conditions.js";
import { input } from "../js/support/processes.js";
import { createClient } from "../js/support/redlatch.js";
import { astray, now } from "./host-time.js";
import { Lane } from "./lane.js";
import { CONNECT_TIMEOUT, NODE_TIMEOUT } from "./locks.js";
import { randomOf } from "./random.js";

/** `options`: what createClient gets, by the lanes' groups. */
const { log, seed, lanes: module, options, credulous = false } = input();
const { LANES, LONGEST_LEASE } = await import(module);
const file = openSync(log, "a");
// Written before it is acted upon: being killed loses nothing of it.
const write = (what, more) => writeSync(file, `${JSON.stringify({ at: now(), what, ...more })}\n`);

/** How long a turn of the event loop has to take to be written down, ms. */
const STALL = 60;

let stepped = 0;
const clock = {
  now: () => performance.now(),
  wall: () => Date.now() + stepped,
  setTimeout: (callback, delay) => setTimeout(callback, delay),
  clearTimeout: (handle) => clearTimeout(handle),
};
const lanes = [];
const observe = ({ type, keys }) => {
  if (type === "renewed") for (const lane of lanes) lane.renewed(keys);
};
const defaults = {
  nodeTimeout: NODE_TIMEOUT,
  connectTimeout: CONNECT_TIMEOUT,
  retry: { min: 10, max: 80 },
};
const clients = Object.fromEntries(
  Object.entries(options).map(([group, own]) => [
    group,
    createClient({ ...defaults, ...own, clock, observe }),
  ]),
);

const commands = {
  stall: ({ ms }) => stall(ms),
  step({ ms }) {
    write("stepped");
    stepped += ms;
  },
  abort() {
    for (const lane of lanes) lane.abort();
  },
  /** Faults are over: each lane gets its lock once more, and lets go of it. */
  async finish() {
    await Promise.all(lanes.map((lane) => lane.finish()));
    await Promise.all(Object.values(clients).map((client) => client.close()));
    write("finished", { astray: astray() });
    process.exit(0);
  },
};
const orders = createInterface({ input: process.stdin });
orders.on("line", (line) => {
  const { command, ...details } = JSON.parse(line);
  commands[command](details);
});
// The breaker is dead, however that came about.
orders.on("close", () => process.exit(1));

write("started");
// When the event loop stood still: what arrived meanwhile was read only afterwards.
let last = now();
setInterval(() => {
  const from = last;
  last = now();
  if (last - from > STALL) write("stalled", { from });
}, 20);
for (const [index, kind] of LANES.entries()) {
  const lane = new Lane(kind, clients[kind.group], {
    random: randomOf(seed * LANES.length + index),
    write: (what, more) => write(what, { lane: kind.name, ...more }),
    credulous,
    longestLease: LONGEST_LEASE,
    nodeTimeout: options[kind.group].nodeTimeout ?? NODE_TIMEOUT,
  });
  lanes.push(lane);
  lane.run();
}
