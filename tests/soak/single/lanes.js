// Which locks there are to contend for: each client has a lane for each of these, all at once.

/** The longest lease that is ever asked for, ms. */
export const LONGEST_LEASE = 3_000;

/** `keys(r)` draws the keys of one lock, `options(r)` the options of its acquire. */
export const LANES = [
  {
    name: "renewed",
    group: "first",
    keys: (r) => [r.pick(["renewed:0", "renewed:1"])],
    options: (r) => ({ ttl: r.within(300, LONGEST_LEASE), renew: true }),
  },
  {
    name: "short",
    group: "second",
    keys: (r) => [r.pick(["short:0", "short:1"])],
    options: (r) => ({ ttl: r.within(250, 500) }),
  },
  {
    name: "fair",
    group: "second",
    keys: (r) => [r.pick(["fair:0", "fair:1"])],
    // Some barge in: the two kinds exclude each other too.
    options: (r) => ({ ttl: r.within(300, 1_500), fair: r.chance(0.9), renew: r.chance(0.5) }),
  },
  {
    name: "multi",
    group: "first",
    keys: (r) =>
      r.pick([
        ["multi:0", "multi:1"],
        ["multi:1", "multi:2"],
        ["multi:2", "multi:0"],
      ]),
    options: (r) => ({ ttl: r.within(300, 1_500), fair: r.chance(0.3), renew: r.chance(0.5) }),
  },
  {
    name: "redlock",
    group: "redlock",
    keys: (r) => [r.pick(["redlock:0", "redlock:1"])],
    options: (r) => ({ ttl: r.within(400, LONGEST_LEASE), renew: r.chance(0.5) }),
  },
];
