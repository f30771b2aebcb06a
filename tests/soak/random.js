// Randomness by seed, so that a run can be repeated as far as real processes allow.

/** Draws of a seed (a number): `within(low, high)` is an integer, `chance(p)` true or false, `pick` and `weighted` choose. */
export function randomOf(seed) {
  let state = seed >>> 0;
  const next = () => {
    // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const within = (low, high) => low + Math.floor(next() * (high - low + 1));
  return {
    within,
    chance: (probability) => next() < probability,
    pick: (list) => list[within(0, list.length - 1)],
    /** `choices`: [weight, what] each. */
    weighted(choices) {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0);
      return choices.find(([weight]) => {
        left -= weight;
        return left < 0;
      })[1];
    },
  };
}
