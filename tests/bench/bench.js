// Compares redlatch with other lock libraries in one run. --help lists the options, README.md says what is measured.
import { existsSync } from "node:fs";
import { relative } from "node:path";
import { startRedis } from "../js/support/redis.js";
import { ALL } from "../js/support/rights.js";
import { load, machineFacts, versions } from "./measure/machine.js";
import { makeProgress } from "./measure/progress.js";
import { interleave } from "./measure/rounds.js";
import { textOf } from "./measure/table.js";
import { helpText, readOptions } from "./options.js";
import { PARTS } from "./parts/index.js";
import { makeReport, ratioTable, writeReport } from "./report.js";

const cleanUps = [];
const scope = { after: (cleanUp) => cleanUps.unshift(cleanUp) };

/** The services for the parts. */
function makeBench({ rounds, size }, progress) {
  const servers = [];
  const notes = { unsteady: [], failed: [] };
  return {
    scope,
    rounds,
    size,
    /** The names of contenders, one entry per sample that was not steady at the end of the warm-up, or that failed. */
    notes,
    /** This many servers, which all parts share. */
    async servers(count) {
      const more = Array.from({ length: count - servers.length }, () => startRedis(scope, { rights: ALL }));
      servers.push(...(await Promise.all(more)));
      return servers.slice(0, count);
    },
    /** The results of `measure(name)` by name: `count` of each, without those of samples that failed. */
    interleave: (names, measure, count = rounds) =>
      interleave(names, count, async (name) => {
        try {
          return await measure(name);
        } catch (error) {
          notes.failed.push(name);
          progress.clear();
          console.error(`bench: a sample of ${name} failed: ${error.message}`);
        } finally {
          progress.step(name);
        }
      }),
    /** Notes whether the worker was steady; returns its result. */
    warmed(name, result) {
      if (!result.warmUp.steady) notes.unsteady.push(name);
      return result;
    },
    print(table) {
      progress.clear();
      console.log(`\n${textOf(table)}`);
      return table;
    },
  };
}

async function run(options) {
  if (!existsSync(new URL("node_modules", import.meta.url))) {
    throw new Error("the peers are not installed: npm ci --prefix tests/bench");
  }
  const { rounds, size, parts, out } = options;
  const progress = makeProgress(
    parts.map((part) => ({ name: part.name, seconds: part.samples(rounds, size) * part.secondsEach[size] })),
    { write: (text) => process.stderr.write(text), live: process.stderr.isTTY },
  );
  const bench = makeBench(options, progress);
  const [redis] = await bench.servers(1);
  const facts = {
    size,
    rounds,
    versions: versions((await redis.send("INFO", "server")).match(/redis_version:(\S+)/)?.[1]),
    machine: machineFacts(),
    load: { before: load() },
  };
  console.log(headOf(facts));
  const done = [];
  for (const part of parts) {
    const began = performance.now();
    progress.begin(part.samples(rounds, size));
    const tables = await part.run(bench, part.sizes[size]);
    done.push({ name: part.name, seconds: Math.round((performance.now() - began) / 1_000), tables });
    facts.load.after = load();
    // After each part: what was measured for an hour is not lost if a later part fails.
    writeReport(makeReport({ ...facts, ...bench.notes }, done, new Date()), out);
  }
  bench.print(ratioTable(done));
  console.log(`\n${tailOf(bench, facts, out)}`);
  // Peers may fail: that is a result.
  if (bench.notes.failed.some((name) => name.startsWith("redlatch"))) process.exitCode = 1;
}

function headOf({ size, rounds, versions, machine, load }) {
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  return [
    list.join(", "),
    `${machine.cores} cores of ${machine.processor}, ${machine.system}, load ${load.before}; ${size}, ${rounds} round(s)`,
  ].join("\n");
}

function tailOf({ notes: { unsteady, failed } }, { load }, out) {
  const lines = [];
  const list = (names, what) => {
    if (names.length > 0) lines.push(`${names.length} sample(s) ${what}: ${[...new Set(names)].join(", ")}`);
  };
  list(unsteady, "were not steady when the warm-up was over");
  list(failed, "failed");
  lines.push(`load ${load.before} to ${load.after}; all figures: ${relative(process.cwd(), out)}`);
  return lines.join("\n");
}

try {
  const options = readOptions(process.argv.slice(2), PARTS);
  if (options.help) console.log(helpText(PARTS));
  else await run(options);
} catch (error) {
  console.error(`bench: ${error.message}`);
  process.exitCode = 1;
} finally {
  for (const cleanUp of cleanUps) await cleanUp();
}
