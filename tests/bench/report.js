// The JSON file: all medians and ranges, with the facts about machine and versions.
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { dataOf } from "./measure/table.js";

/** Changes when programs that read the file have to change. */
export const FORMAT = 1;

/** `run`: { size, rounds, versions, machine, load: { before, after }, unsteady, failed }, the last two with a name per sample. `parts`: [{ name, seconds, tables }]. `date`: of the run. */
export function makeReport({ size, rounds, versions, machine, load, unsteady, failed }, parts, date) {
  return {
    format: FORMAT,
    date: date.toISOString(),
    size,
    rounds,
    versions,
    machine,
    load,
    unsteady,
    failed,
    parts: parts.map(({ name, seconds, tables }) => ({ name, seconds, tables: tables.map(dataOf) })),
  };
}

export function writeReport(report, file) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Our ratios to the best peer as a table to print: one row for each figure of each table, one column for each of ours. */
export function ratioTable(parts) {
  const rows = parts.flatMap(({ tables }) => tables.flatMap(ratiosOf));
  const names = [...new Set(rows.flatMap(({ ours }) => Object.keys(ours)))];
  return {
    title: "ratios to the best peer, and of limits to ioredis EVALSHA, of the medians above",
    columns: [
      { head: "better", text: ({ better }) => better },
      ...names.map((head) => ({ head, text: ({ ours }) => ours[head]?.toFixed(2) ?? "-" })),
    ],
    rows,
  };
}

function ratiosOf({ id, figures, rows }) {
  return Object.entries(figures).flatMap(([key, { better }]) => {
    const ours = rows.filter(({ role, ratios }) => role === "ours" && ratios[key] !== undefined);
    if (ours.length === 0) return [];
    const ratios = ours.map(({ name, ratios }) => [name, ratios[key]]);
    return [{ name: `${id} ${key}`, better, ours: Object.fromEntries(ratios) }];
  });
}
