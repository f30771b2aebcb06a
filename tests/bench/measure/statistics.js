// Medians, quantiles and ranges of figures.

export const median = (values) => quantile(values, 0.5);

/** The quantile of the values for that share, interpolated. */
export function quantile(values, share) {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)];
  return low + (sorted[Math.ceil(at)] - low) * (at - Math.floor(at));
}

/** { median, min, max, values } of one figure over all rounds; undefined if it is missing in a round. */
export function summary(values) {
  if (values.length === 0 || values.some((value) => !Number.isFinite(value))) return undefined;
  return { median: median(values), min: Math.min(...values), max: Math.max(...values), values };
}
