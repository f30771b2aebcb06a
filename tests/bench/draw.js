// Draws the figures of a report of the bench, light and dark:
//
//   node tests/bench/draw.js [REPORT [FOLDER]]      target/bench.json and target/figures by default
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { drawChart, THEMES } from "./figures/chart.js";
import { chartsOf } from "./figures/figures.js";
import { FORMAT } from "./report.js";

const target = fileURLToPath(new URL("../../target/", import.meta.url));
const [file = join(target, "bench.json"), folder = join(target, "figures")] = process.argv.slice(2);

const report = JSON.parse(readFileSync(file, "utf8"));
if (report.format !== FORMAT) throw new Error(`the report has format ${report.format}, not ${FORMAT}`);
if (report.size !== "full") console.error(`a ${report.size} run: its figures are too rough for documents`);
mkdirSync(folder, { recursive: true });
for (const [name, chart] of Object.entries(chartsOf(report))) {
  for (const [theme, colours] of Object.entries(THEMES)) {
    const image = join(folder, `${name}-${theme}.svg`);
    writeFileSync(image, drawChart(chart, colours));
    console.log(relative(process.cwd(), image));
  }
}
