// Interleaved rounds of samples, so that other load on the machine hits all contenders alike.

/**
 * The results of `measure(name)` by name, `rounds` of each. The order rotates with each round: none is always first. A result that is
 * undefined is left out.
 */
export async function interleave(names, rounds, measure) {
  const results = Object.fromEntries(names.map((name) => [name, []]));
  for (const name of orderOf(names, rounds)) {
    const result = await measure(name);
    if (result !== undefined) results[name].push(result);
  }
  return results;
}

/** The order of the samples over all rounds. */
export function orderOf(names, rounds) {
  return Array.from({ length: rounds }, (_, round) =>
    names.map((_, turn) => names[(round + turn) % names.length]),
  ).flat();
}
