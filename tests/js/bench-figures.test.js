// The figures that tests/bench/draw.js makes of a report of the bench.
import assert from "node:assert/strict";
import { test } from "node:test";
import { drawChart, THEMES } from "../bench/figures/chart.js";
import { chartsOf, inDigits } from "../bench/figures/figures.js";

const NAMES = { redlatch: "ours", redlock: "peer", '<raw> & "quick"': "limit" };

const table = (id, key, unit, values) => ({
  id,
  title: id,
  figures: { [key]: { unit, better: "more" } },
  rows: Object.entries(NAMES).map(([name, role], at) => {
    const median = values[at];
    if (median === undefined) return { name, role, figures: {}, ratios: {} };
    const figure = { median, min: median / 2, max: median * 2, values: [median / 2, median, median * 2] };
    return { name, role, figures: { [key]: figure }, ratios: { [key]: median / values[1] } };
  }),
});

const report = {
  date: "2020-02-03T04:05:06.000Z",
  rounds: 3,
  versions: { redlatch: "0.1.0", node: "20.10.0", "redis-server": "7.0.15" },
  machine: { cores: 2 },
  parts: [
    {
      name: "pairs",
      tables: [
        table("pairs/1", "perSecond", "1/s", [20_000, 10_000, 15_000]),
        table("pairs/512", "perSecond", "1/s", [123_456, 30_864, undefined]),
      ],
    },
    { name: "redlock", tables: [table("redlock/5-hung", "perSecond", "1/s", [0, 0.5, 1])] },
  ],
};

/** The elements of an SVG as [name, attributes]; throws unless all that is opened is closed. */
function elementsOf(svg) {
  const elements = [];
  const open = [];
  const rest = svg.replace(
    /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)(\/?)>/g,
    (_, closes, name, text, empty) => {
      if (closes) assert.equal(open.pop(), name);
      else {
        if (!empty) open.push(name);
        const attributes = text.matchAll(/ ([a-zA-Z-]+)="([^"]*)"/g);
        elements.push([name, Object.fromEntries(Array.from(attributes, ([, key, value]) => [key, value]))]);
      }
      return "";
    },
  );
  assert.deepEqual(open, []);
  assert.doesNotMatch(rest, /[<>]|&(?!amp;|lt;|gt;|quot;)/, "text is escaped");
  return elements;
}

test("charts are made of the tables that a report has", () => {
  const charts = chartsOf(report);
  assert.deepEqual(Object.keys(charts), ["pairs", "redlock"]);
  const [one, many] = charts.pairs.groups;
  assert.deepEqual([one.heading, many.heading], ["1 in flight", "512 in flight"]);
  const labels = many.bars.map(({ label }) => label);
  assert.deepEqual(labels, ["123\u202f456/s (4.00×)", "30\u202f864/s (1.00×)", "not measured"]);
  assert.match(
    charts.pairs.notes.join(" "),
    /3 sample\(s\); in brackets.*2020-02-03: redlatch 0\.1\.0, Node\.js 20\.10\.0/,
  );
  assert.deepEqual(chartsOf({ ...report, parts: [] }), {});
});

test("values have three digits at least", () => {
  assert.deepEqual([0.123456, 5, 14.26, 999.6, 1_234_567].map(inDigits), [
    "0.123",
    "5.00",
    "14.3",
    "1\u202f000",
    "1\u202f234\u202f567",
  ]);
});

test("an SVG is well-formed, stays within its frame, and needs nothing from outside", () => {
  for (const chart of Object.values(chartsOf(report))) {
    const svg = drawChart(chart, THEMES.light);
    const elements = elementsOf(svg);
    const [[, { width, height, role }]] = elements;
    assert.equal(role, "img");
    assert.ok(elements.every(([name]) => ["svg", "title", "desc", "rect", "text", "path"].includes(name)));
    assert.doesNotMatch(svg, /href|url\(|NaN|undefined|Infinity/);
    for (const [name, at] of elements) {
      if (name === "rect" && at.x !== undefined) assert.ok(Number(at.x) + Number(at.width) <= width);
      if (name === "text") assert.ok(Number(at.y) < height && Number(at.x) < width);
    }
  }
});

test("bars are to scale within their group, and ours stand out", () => {
  const svg = drawChart(chartsOf(report).pairs, THEMES.light);
  const bars = elementsOf(svg).filter(([name, { rx }]) => name === "rect" && rx);
  const widths = bars.map(([, { width }]) => Number(width));
  const fills = bars.map(([, { fill }]) => fill);
  assert.equal(widths.length, 5);
  assert.ok(Math.abs(widths[0] / widths[1] - 2) < 0.01);
  assert.ok(Math.abs(widths[3] / widths[4] - 4) < 0.01);
  assert.equal(widths[0], widths[3], "each group has a scale of its own");
  const { ours, peer, limit } = THEMES.light;
  assert.deepEqual(fills, [ours, peer, limit, ours, peer]);
});

test("light and dark differ in their colours only", () => {
  const chart = chartsOf(report).pairs;
  const bare = (theme) => drawChart(chart, theme).replace(/#[0-9a-f]{6}/g, "");
  assert.deepEqual(Object.keys(THEMES.dark), Object.keys(THEMES.light));
  assert.notEqual(drawChart(chart, THEMES.light), drawChart(chart, THEMES.dark));
  assert.equal(bare(THEMES.light), bare(THEMES.dark));
});
