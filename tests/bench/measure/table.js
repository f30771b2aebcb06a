// A table of figures: what is printed of it, and what is written as JSON.
import { summary } from "./statistics.js";

/**
 * Rows in the order of `contestants`, a list of { name, role } with role "ours", "peer" or "limit". `results`: the samples by name.
 * `figures`: by key, { of(sample), unit, better: "more" or "less", where a ratio makes sense }.
 * `isBase`: the rows to the best of which the ratios are; by default those of peers.
 */
export function makeTable({ id, title, contestants, results, figures, columns, isBase = isPeer }) {
  const rows = contestants.map(({ name, role }) => ({
    name,
    role,
    figures: mapValues(figures, ({ of }) => summary(results[name].map(of))),
    ratios: {},
  }));
  for (const [key, { better }] of Object.entries(figures)) {
    const best = better && bestOf(rows.filter(isBase), key, better);
    // Memory may also shrink: a ratio to that means nothing.
    if (!(best > 0)) continue;
    for (const row of rows) {
      if (row.figures[key]) row.ratios[key] = row.figures[key].median / best;
    }
  }
  return { id, title, figures, columns, rows };
}

const isPeer = ({ role }) => role === "peer";

function bestOf(rows, key, better) {
  const medians = rows.flatMap(({ figures }) => (figures[key] ? [figures[key].median] : []));
  if (medians.length > 0) return (better === "more" ? Math.max : Math.min)(...medians);
}

/** Columns: a heading and the text for a row. A figure that is missing is a dash. */
export const medianColumn = (head, key, digits) => ({
  head,
  text: ({ figures }) => figures[key]?.median.toFixed(digits) ?? "-",
});
export const ratioColumn = (head, key) => ({ head, text: ({ ratios }) => ratios[key]?.toFixed(2) ?? "-" });
export const rangeColumn = (key) => ({
  head: "range",
  text: ({ figures }) =>
    figures[key] ? `${figures[key].min.toFixed(0)} to ${figures[key].max.toFixed(0)}` : "-",
});

/** The table as text: the first column to the left, the rest to the right. Limits stand in brackets. */
export function textOf({ title, columns, rows }) {
  const lines = [
    ["", ...columns.map(({ head }) => head)],
    ...rows.map((row) => [
      row.role === "limit" ? `(${row.name})` : row.name,
      ...columns.map(({ text }) => text(row)),
    ]),
  ];
  const widths = lines[0].map((_, column) => Math.max(...lines.map((line) => line[column].length)));
  const padded = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[column]))),
  );
  return [title, ...padded.map((line) => `  ${line.join("   ")}`)].join("\n");
}

/** The table as plain data. */
export function dataOf({ id, title, figures, rows }) {
  return { id, title, figures: mapValues(figures, ({ unit, better }) => ({ unit, better })), rows };
}

function mapValues(object, change) {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
