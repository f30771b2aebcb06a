// Which figures are drawn, from the tables of a report.

/** By name: what is drawn. Each of `tables`, by id, becomes a group with that heading; `figure` is the key of its values. */
const FIGURES = {
  pairs: {
    title: "Acquire and release on one server",
    subtitle: "pairs per second: longer is better; each group has a scale of its own",
    figure: "perSecond",
    tables: {
      "pairs/1": "1 in flight",
      "pairs/8": "8 in flight",
      "pairs/64": "64 in flight",
      "pairs/512": "512 in flight",
    },
  },
  cpu: {
    title: "CPU time of the client for acquire and release",
    subtitle: "microseconds per pair: shorter is better; each group has a scale of its own",
    figure: "cpuPerPair",
    tables: { "pairs/1": "1 in flight", "pairs/64": "64 in flight", "pairs/512": "512 in flight" },
  },
  redlock: {
    title: "Redlock: acquire and release on several servers, 64 in flight",
    subtitle: "pairs per second: longer is better; each group has a scale of its own",
    figure: "perSecond",
    tables: {
      "redlock/3": "3 servers",
      "redlock/5": "5 servers",
      "redlock/3-hung": "3 servers, one of them hung",
      "redlock/5-hung": "5 servers, one of them hung",
    },
  },
  "handover-p50": {
    title: "Hand-over of a contended lock: the median",
    subtitle: "milliseconds from one's release to the next one's grant: shorter is better",
    figure: "p50",
    tables: { "handover/20": "20 waiters of 4 processes", "handover/200": "200 waiters of 4 processes" },
  },
  "handover-p99": {
    title: "Hand-over of a contended lock: the 99th percentile",
    subtitle: "milliseconds from one's release to the next one's grant: shorter is better",
    figure: "p99",
    tables: { "handover/20": "20 waiters of 4 processes", "handover/200": "200 waiters of 4 processes" },
  },
  cold: {
    title: "Cold start: from before the import to the first lock",
    subtitle: "milliseconds: shorter is better",
    figure: "locked",
    tables: { cold: "a new process, worker or page" },
  },
};

/** The charts that the report has the tables for, by name. */
export function chartsOf(report) {
  const tables = new Map(report.parts.flatMap((part) => part.tables).map((table) => [table.id, table]));
  const charts = {};
  for (const [name, { title, subtitle, figure, tables: wanted }] of Object.entries(FIGURES)) {
    const drawn = Object.keys(wanted).filter((id) => tables.get(id)?.figures[figure]);
    if (drawn.length === 0) continue;
    const rows = drawn.flatMap((id) => tables.get(id).rows);
    const groups = drawn.map((id) => ({ heading: wanted[id], bars: barsOf(tables.get(id), figure) }));
    charts[name] = { title, subtitle, notes: notesOf(report, rows, figure), groups };
  }
  return charts;
}

function barsOf({ figures, rows }, key) {
  const { unit } = figures[key];
  return rows.map(({ name, role, figures, ratios }) => {
    const { median, min, max } = figures[key] ?? {};
    return { name, role, value: median, min, max, label: labelOf(median, unit, ratios[key]) };
  });
}

function labelOf(value, unit, ratio) {
  if (value === undefined) return "not measured";
  const amount = `${inDigits(value)} ${unit.replace("us", "µs").replace(/^1\//, "/")}`.replace(" /", "/");
  return ratio === undefined ? amount : `${amount} (${ratio.toFixed(2)}×)`;
}

/** Three digits at least, thousands apart by a narrow space. */
export function inDigits(value) {
  const text = value >= 100 ? value.toFixed(0) : value.toPrecision(3);
  return text.replace(/\B(?=(\d{3})+$)/g, "\u202f");
}

function notesOf({ versions, machine, date }, rows, key) {
  const samples = Math.max(...rows.map(({ figures }) => figures[key]?.values.length ?? 0));
  const hasRatios = rows.some(({ ratios }) => ratios[key] !== undefined);
  return [
    `Median and range of ${samples} sample(s)${hasRatios ? "; in brackets: ratio to the best of the other libraries" : ""}.`,
    `${date.slice(0, 10)}: redlatch ${versions.redlatch}, Node.js ${versions.node}, redis-server ${versions["redis-server"]}, ${machine.cores} cores.`,
  ];
}
