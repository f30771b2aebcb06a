// The bench's own arithmetic: what it makes of the samples that tests/bench takes.
import assert from "node:assert/strict";
import { test } from "node:test";
import { gapsOf, overtakings } from "../bench/measure/contest.js";
import { fieldsOf, used } from "../bench/measure/meter.js";
import { makeProgress } from "../bench/measure/progress.js";
import { rateOf } from "../bench/measure/redis-benchmark.js";
import { interleave, orderOf } from "../bench/measure/rounds.js";
import { median, quantile, summary } from "../bench/measure/statistics.js";
import { isSteady, warmUp } from "../bench/measure/steady.js";
import { makeTable, medianColumn, rangeColumn, ratioColumn, textOf } from "../bench/measure/table.js";
import { helpText, readOptions } from "../bench/options.js";
import { makeReport, ratioTable } from "../bench/report.js";

test("medians and quantiles are interpolated, in whatever order the values are", () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.equal(median([7]), 7);
  const values = Array.from({ length: 101 }, (_, at) => 100 - at);
  assert.equal(quantile(values, 0.99), 99);
  assert.equal(quantile([0, 10], 0.25), 2.5);
  assert.deepEqual(summary([3, 1, 2]), { median: 2, min: 1, max: 3, values: [3, 1, 2] });
});

test("a figure that one round has not got has no summary", () => {
  assert.equal(summary([]), undefined);
  assert.equal(summary([1, undefined]), undefined);
  assert.equal(summary([1, Number.POSITIVE_INFINITY]), undefined);
});

test("rates are steady when two spans in a row have nearly the same median", () => {
  const rule = { span: 3, change: 0.05 };
  assert.equal(isSteady([100, 100, 100, 100, 100], rule), false, "too few");
  assert.equal(isSteady([100, 101, 99, 104, 103, 105], rule), true);
  assert.equal(isSteady([100, 101, 99, 107, 108, 109], rule), false, "still faster");
  assert.equal(isSteady([107, 108, 109, 100, 101, 99], rule), false, "slower");
  assert.equal(isSteady([100, 101, 99, 20, 100, 101], rule), true, "one slice says nothing");
  assert.equal(isSteady([1, 2, 3, 100, 100, 100, 100, 100, 100], rule), true, "the last two spans count");
  assert.equal(isSteady([0, 0, 0, 0, 0, 0], rule), true, "one who does nothing is steady");
});

test("a warm-up ends when the rates are steady, or at its bound", async () => {
  const rule = { span: 1, change: 0.1, atMost: 1_000 };
  const run = async (rates) => {
    let time = 0;
    const slice = async () => {
      time += 100;
      return rates.shift();
    };
    return warmUp(slice, rule, () => time);
  };
  assert.deepEqual(await run([1, 2, 4, 8, 8.1, 9]), { steady: true, ms: 500 });
  assert.deepEqual(await run(Array.from({ length: 20 }, (_, at) => 2 ** at)), { steady: false, ms: 1_000 });
});

test("rounds are interleaved, and their order rotates", async () => {
  assert.deepEqual(orderOf(["a", "b", "c"], 3), ["a", "b", "c", "b", "c", "a", "c", "a", "b"]);
  let count = 0;
  const results = await interleave(["a", "b"], 2, async (name) => {
    count += 1;
    return `${name}${count}`;
  });
  assert.deepEqual(results, { a: ["a1", "a4"], b: ["b2", "b3"] });
  const some = await interleave(["a", "b"], 1, async (name) => (name === "a" ? undefined : 1));
  assert.deepEqual(some, { a: [], b: [1] }, "what failed is left out");
});

const contestants = [
  { name: "us", role: "ours" },
  { name: "slow", role: "peer" },
  { name: "fast", role: "peer" },
  { name: "raw", role: "limit" },
];
const sampleTable = () =>
  makeTable({
    id: "sample",
    title: "a title",
    contestants,
    results: {
      us: [{ rate: 90, cpu: 5 }, { rate: 110, cpu: 6 }, { rate: 100 }],
      slow: [{ rate: 25, cpu: 40 }],
      fast: [{ rate: 50, cpu: 20 }],
      raw: [{ rate: 200, cpu: 2 }],
    },
    figures: {
      rate: { of: ({ rate }) => rate, unit: "1/s", better: "more" },
      cpu: { of: ({ cpu }) => cpu, unit: "us", better: "less" },
    },
    columns: [
      medianColumn("rate/s", "rate", 0),
      ratioColumn("ratio", "rate"),
      medianColumn("CPU us", "cpu", 1),
      rangeColumn("rate"),
    ],
  });

test("ratios are those of the medians to the best peer's, and a limit is no peer", () => {
  const [us, slow, fast, raw] = sampleTable().rows;
  assert.deepEqual(us.ratios, { rate: 2 });
  assert.equal(us.figures.cpu, undefined);
  assert.deepEqual(slow.ratios, { rate: 0.5, cpu: 2 });
  assert.deepEqual(fast.ratios, { rate: 1, cpu: 1 });
  assert.deepEqual(raw.ratios, { rate: 4, cpu: 0.1 });
});

test("ratios can be to others than peers, and there is none to nothing", () => {
  const table = makeTable({
    id: "sample",
    title: "a title",
    contestants,
    results: { us: [{ a: 1, b: 5 }], slow: [{ a: 3, b: 0 }], fast: [{ a: 4, b: -1 }], raw: [{ a: 2, b: 1 }] },
    figures: { a: { of: ({ a }) => a, better: "more" }, b: { of: ({ b }) => b, better: "less" } },
    columns: [],
    isBase: ({ name }) => name !== "us",
  });
  assert.deepEqual(table.rows[0].ratios, { a: 0.25 });
});

test("the rate of redis-benchmark is the second field of its last line", () => {
  const head = '"test","rps","avg_latency_ms"\n';
  assert.equal(rateOf(`${head}"EVALSHA 1d2 1 bench:__rand_int__ token","41666.67","0.018"\n`), 41_666.67);
  assert.throws(() => rateOf(head), /no rate/);
});

test("a table is printed with the limit in brackets and dashes for what was not taken", () => {
  assert.deepEqual(textOf(sampleTable()).split("\n"), [
    "a title",
    "          rate/s   ratio   CPU us        range",
    "  us         100    2.00        -    90 to 110",
    "  slow        25    0.50     40.0     25 to 25",
    "  fast        50    1.00     20.0     50 to 50",
    "  (raw)      200    4.00      2.0   200 to 200",
  ]);
});

test("gaps are from one's release to the next one's grant, and one who came later overtakes", () => {
  const turns = [
    { place: 0, taken: 10, left: 11 },
    { place: 2, taken: 11.5, left: 12.5 },
    { place: 1, taken: 14.5, left: 15.5 },
    { place: 3, taken: 16, left: 17 },
  ];
  assert.deepEqual(gapsOf(turns), [0.5, 2, 0.5]);
  assert.equal(overtakings(turns), 1);
});

test("a reading of INFO gives its numbers, and two of them what was used", () => {
  const fields = fieldsOf(
    "# CPU\r\nused_cpu_sys_main_thread:0.250000\r\nused_cpu_user_main_thread:1.5\r\nrole:master\r\n",
  );
  assert.deepEqual(fields, { used_cpu_sys_main_thread: 0.25, used_cpu_user_main_thread: 1.5 });
  assert.deepEqual(used({ ms: 5, us: 10 }, { ms: 25, us: 40 }), { ms: 20, us: 30 });
});

test("progress tells how long it still takes, corrected by how long it took", () => {
  let time = 0;
  const said = [];
  const progress = makeProgress(
    [
      { name: "one", seconds: 10 },
      { name: "two", seconds: 20 },
    ],
    { write: (text) => said.push(text), live: true, now: () => time },
  );
  progress.begin(2);
  assert.equal(progress.left(), 30);
  time = 10_000;
  progress.step("a");
  // Twice as slow as expected: 10 s more here, 40 s in the other part.
  assert.equal(progress.left(), 50);
  time = 20_000;
  progress.step("b");
  assert.equal(progress.left(), 40);
  progress.begin(1);
  assert.equal(progress.left(), 20);
  assert.match(said[1], /\[1\/2 one: 1 of 2\] a; about 50 s left/);
});

const parts = [
  { name: "pairs", about: "this" },
  { name: "cold", about: "that" },
];

test("options: everything by default, or the parts that are named", () => {
  const all = readOptions([], parts);
  assert.deepEqual([all.size, all.rounds, all.parts], ["full", 3, parts]);
  assert.match(all.out, /target.bench\.json$/);
  const some = readOptions(["--quick", "--only", "cold", "--rounds=5", "--out=/x/y.json"], parts);
  assert.deepEqual([some.size, some.rounds, some.parts], ["quick", 5, [parts[1]]]);
  assert.match(some.out, /y\.json$/);
  assert.deepEqual(readOptions(["--only=cold,pairs"], parts).parts, parts);
  assert.throws(() => readOptions(["--only=warm"], parts), /no part warm: pairs, cold/);
  assert.throws(() => readOptions(["--rounds=0"], parts), /--rounds needs a whole number/);
  assert.throws(() => readOptions(["--fast"], parts));
  assert.match(helpText(parts), / pairs {2}this\n {2}cold {3}that\n/);
});

test("the report is plain data: facts, medians, ranges and ratios, and nothing of how they are printed", () => {
  const facts = {
    size: "full",
    rounds: 3,
    versions: { node: "20.0.0" },
    machine: { cores: 2 },
    load: { before: 0.1, after: 0.2 },
    unsteady: ["slow"],
    failed: [],
  };
  const tables = [sampleTable()];
  const report = makeReport(facts, [{ name: "pairs", seconds: 7, tables }], new Date(0));
  assert.deepEqual(Object.keys(report), [
    "format",
    "date",
    "size",
    "rounds",
    "versions",
    "machine",
    "load",
    "unsteady",
    "failed",
    "parts",
  ]);
  assert.equal(report.date, "1970-01-01T00:00:00.000Z");
  const [table] = JSON.parse(JSON.stringify(report)).parts[0].tables;
  assert.deepEqual(Object.keys(table), ["id", "title", "figures", "rows"]);
  assert.deepEqual(table.figures, {
    rate: { unit: "1/s", better: "more" },
    cpu: { unit: "us", better: "less" },
  });
  assert.deepEqual(table.rows[0], {
    name: "us",
    role: "ours",
    figures: { rate: { median: 100, min: 90, max: 110, values: [90, 110, 100] } },
    ratios: { rate: 2 },
  });
  assert.deepEqual(textOf(ratioTable(report.parts)).split("\n"), [
    "ratios to the best peer, and of limits to ioredis EVALSHA, of the medians above",
    "                better     us",
    "  sample rate     more   2.00",
  ]);
});
