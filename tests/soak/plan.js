// What is broken when: drawn from the seed before anything runs.
import { randomOf } from "./random.js";

const HOUR = 3_600_000;
/** What a client may take to start again, ms; until then nothing else is done to it. */
const START = 1_500;

/**
 * By kind: how often relative to the others, on what (a connection's proxy, a client, a server), and how: a draw of details.
 * `for` is how long it lasts, ms; 0: it is over at once. What is done to servers is the topology's.
 */
const KINDS = {
  "replies late": [10, "link", (r) => ({ ms: r.within(5, 600), for: r.within(200, 2_000) })],
  "requests late": [10, "link", (r) => ({ ms: r.within(5, 900), for: r.within(200, 2_000) })],
  "cut at a byte": [12, "link", (r) => ({ bytes: r.within(0, 300), for: 0 })],
  "deaf both ways": [5, "link", (r) => ({ way: true, for: r.within(100, 2_500) })],
  "deaf to requests": [4, "link", (r) => ({ way: "requests", for: r.within(100, 2_500) })],
  "deaf to replies": [4, "link", (r) => ({ way: "replies", for: r.within(100, 2_500) })],
  "bytes in pieces": [8, "link", (r) => ({ bytes: r.within(1, 9), for: r.within(500, 3_000) })],
  "reply dropped": [8, "link", () => ({ for: 1_000 })],
  "reply doubled": [8, "link", () => ({ for: 1_000 })],
  "client stopped": [7, "client", (r) => ({ for: r.within(20, 3_500) })],
  "client killed": [1.5, "client", () => ({ for: START })],
  "event loop stalled": [7, "client", (r) => ({ ms: r.within(20, 2_500), for: 500 })],
  "clock stepped": [6, "client", (r) => ({ ms: step(r), for: 0 })],
  "waiting aborted": [8, "client", () => ({ for: 0 })],
};

function step(r) {
  const size = r.chance(0.2) ? HOUR : r.within(50, 5_000);
  return r.chance(0.5) ? size : -size;
}

/**
 * Faults in order: { at (ms from the start), kind, client, server, for, ... }, until `ms`: `perSecond` at random on average, and those
 * that the topology wants at a fixed pace. `clients` is their number.
 */
export function planFaults(seed, { ms, perSecond, clients, topology: { servers, kinds, rhythms } }) {
  const faults = atRandom(randomOf(seed), { ms, perSecond, clients, servers, kinds: { ...KINDS, ...kinds } });
  for (const [index, { kind, first, every, details }] of rhythms.entries()) {
    const r = randomOf(seed + 1 + index);
    for (let at = first; at < ms; at += every) faults.push({ at, kind, for: 0, ...details(r) });
  }
  return faults.sort((one, other) => one.at - other.at);
}

function atRandom(r, { ms, perSecond, clients, servers, kinds }) {
  const faults = [];
  const busy = new Map();
  const choices = Object.entries(kinds).map(([kind, [weight]]) => [weight, kind]);
  for (let at = 0; ; ) {
    at += r.within(0, Math.round(2_000 / perSecond));
    if (at >= ms) return faults;
    const kind = r.weighted(choices);
    const [, on, details] = kinds[kind];
    const client = r.within(0, clients - 1);
    const server = r.within(0, servers.length - 1);
    const fault = { at, kind, client, server, ...details(r, servers[server]) };
    const target = { link: `${client} ${server}`, client: `${client}`, server: ` ${server}` }[on];
    // One thing at a time to each, or ending the one would end the other.
    if ((busy.get(target) ?? 0) > at) continue;
    busy.set(target, at + fault.for + 50);
    faults.push(fault);
  }
}
