// The contenders. Each opens with
//   ports    the servers
//   lanes    the number of pairs in flight
//   lease    ms
//   renew    whether locks are renewed
//   silent   whether a server may hang
//   onLost   called for a renewed lock that was lost, where release does not tell
// and gives
//   take(key)   waits for the lock, of one key or a list, and resolves with a function that releases it
//   close()     ends it
import { openRedisSemaphore, openRedlock, openRedlockUniversal } from "./peers.js";
import { openBareSocket, openIoredisEvalsha } from "./raw.js";
import { openRedlatch } from "./redlatch.js";

const SCRIPTS = ["evalsha", "eval"];

/** By name. `commands`: the commands it sends to one server; `several`: it can lock several keys at once; `renews`: it renews locks. */
const all = {
  redlatch: {
    role: "ours",
    open: (options) => openRedlatch(options),
    several: true,
    renews: true,
  },
  "redlatch, fair": {
    role: "ours",
    open: (options) => openRedlatch(options, { fair: true }),
  },
  redlock: {
    role: "peer",
    open: async (options) => openRedlock((await import("redlock")).default, options),
    several: true,
  },
  "@sesamecare-oss/redlock": {
    role: "peer",
    open: async (options) => openRedlock((await import("@sesamecare-oss/redlock")).Redlock, options),
    several: true,
  },
  "redlock-universal": {
    role: "peer",
    commands: [...SCRIPTS, "set"],
    open: openRedlockUniversal,
    several: true,
  },
  "redis-semaphore": {
    role: "peer",
    commands: [...SCRIPTS, "set"],
    open: openRedisSemaphore,
    renews: true,
  },
  "ioredis EVALSHA": { role: "limit", open: openIoredisEvalsha },
  "bare socket EVALSHA": { role: "limit", open: openBareSocket },
};

const LEASE = 30_000;

/** Opens the contender of that name; the options are above. */
export const open = (name, options) => all[name].open({ lanes: 1, lease: LEASE, ...options });

/** The names of the commands that a contender sends. */
export const commandsOf = (name) => all[name].commands ?? SCRIPTS;

/** The contenders that `choose` accepts: [{ name, role, ... }]. */
export const contestants = (choose = () => true) =>
  Object.entries(all)
    .map(([name, how]) => ({ name, ...how }))
    .filter(choose);

export const isLibrary = ({ role }) => role !== "limit";
