// Which locks there are to contend for where replicas take over. In a cluster, the slots of each lane's keys are on all three
// shards when it begins.

const NAMES = {
  renewed: ["renewed:0", "renewed:1", "renewed:2"],
  short: ["short:1", "short:2", "short:3"],
  fair: ["fair:0", "fair:1", "fair:3"],
  confirmed: ["confirmed:0", "confirmed:1", "confirmed:2"],
};
/** Tags, and the ends of a tag's keys, which are in one slot. */
const TAGS = ["{multi:0}", "{multi:1}", "{multi:2}"];
const ENDS = ["a", "b", "c"];

/** The group whose grants count only if all replicas have them: no failover may lose them. */
export const CONFIRMED = "confirmed";
export const UNCONFIRMED = "unconfirmed";
export const groupOf = (name) => (NAMES.confirmed.includes(name) ? CONFIRMED : UNCONFIRMED);

/** All names of locks. */
export const ALL = [...Object.values(NAMES).flat(), ...TAGS.flatMap((tag) => ENDS.map((end) => tag + end))];

/** The longest lease that is ever asked for, ms: it outlasts a primary that is stopped, so that grants of a former one matter. */
export const LONGEST_LEASE = 8_000;

const lease = (r) => (r.chance(0.3) ? r.within(3_000, LONGEST_LEASE) : r.within(300, 3_000));
/** Long enough for a failover. */
const wait = (r) => (r.chance(0.2) ? 0 : r.within(50, 10_000));

/** `keys(r)` draws the keys of one lock, `options(r)` the options of its acquire. */
export const LANES = [
  {
    name: "renewed",
    group: UNCONFIRMED,
    keys: (r) => [r.pick(NAMES.renewed)],
    options: (r) => ({ wait: wait(r), ttl: lease(r), renew: true }),
  },
  {
    name: "short",
    group: UNCONFIRMED,
    keys: (r) => [r.pick(NAMES.short)],
    options: (r) => ({ wait: wait(r), ttl: r.within(250, 500) }),
  },
  {
    name: "fair",
    group: UNCONFIRMED,
    keys: (r) => [r.pick(NAMES.fair)],
    options: (r) => ({ wait: wait(r), ttl: lease(r), fair: r.chance(0.9), renew: r.chance(0.5) }),
  },
  {
    name: "multi",
    group: UNCONFIRMED,
    keys(r) {
      const tag = r.pick(TAGS);
      const without = r.pick(ENDS);
      return ENDS.filter((end) => end !== without).map((end) => tag + end);
    },
    options: (r) => ({ wait: wait(r), ttl: lease(r), fair: r.chance(0.3), renew: r.chance(0.5) }),
  },
  {
    name: "confirmed",
    group: CONFIRMED,
    keys: (r) => [r.pick(NAMES.confirmed)],
    options: (r) => ({ wait: wait(r), ttl: lease(r), renew: r.chance(0.5) }),
  },
];
