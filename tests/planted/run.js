#!/usr/bin/env node
// Planted bugs: patches in this folder, each a small mistake that a test must find.
//
//   tests/planted/run.js check                     every patch applies and says what it breaks (seconds)
//   tests/planted/run.js hunt [--write] [NAME...]  plants one bug at a time and runs the tests that its patch names
//
// JOBS: how many bugs are hunted at once. SEEDS: after how many worlds the simulation gives up on a bug.
// --write puts the results into the table of README.md.
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parsePatch, problemsOf, tableRows, withTable } from "./patches.js";

const here = dirname(fileURLToPath(import.meta.url));
const root = join(here, "../..");
const work = join(root, "target/planted");
const README = join(here, "README.md");
const SEEDS = process.env.SEEDS ?? "20000";
/** After which a test run counts as hung. */
const LONGEST_RUN_MS = 20 * 60_000;

/** Outside of any repository, `git apply` takes the paths of a patch as they are, whatever the folder. */
const apply = (cwd, ...args) =>
  spawnSync("git", ["apply", ...args], {
    cwd,
    encoding: "utf8",
    env: { ...process.env, GIT_CEILING_DIRECTORIES: dirname(cwd) },
  });

function readPatches() {
  const names = readdirSync(here).filter((file) => file.endsWith(".patch"));
  return names.sort().map((file) => parsePatch(file, readFileSync(join(here, file), "utf8")));
}

function check() {
  const patches = readPatches();
  const problems = problemsOf(patches, root, readFileSync(README, "utf8"));
  for (const { file } of patches) {
    const { status, stderr } = apply(root, "--check", join(here, file));
    if (status !== 0) problems.push(`${file} does not apply: ${stderr.trim()}`);
  }
  for (const problem of problems) console.error(`planted bugs: ${problem}`);
  if (problems.length > 0) process.exit(1);
  console.log(`planted bugs: ${patches.length} apply`);
}

/** A copy of the tree with a target folder of its own, in which only the crate itself is compiled anew for each bug. */
class Tree {
  constructor(number) {
    this.path = join(work, `tree-${number}`);
    this.target = join(work, `cargo-${number}`);
  }

  /** Copies what the crate and its tests are made of. What is there already keeps its time, by which cargo goes. */
  reset() {
    // The last is a member of the workspace, without which cargo refuses to start.
    const names = [
      "Cargo.toml",
      "Cargo.lock",
      "README.md",
      "src",
      "lua",
      "tests",
      "pkg-template/build/bindgen",
    ];
    for (const name of names) {
      copyChanged(join(root, name), join(this.path, name));
    }
  }

  /** Runs cargo, and answers with its exit code and everything it printed. */
  cargo(args, env = {}) {
    return new Promise((resolve) => {
      const child = spawn("cargo", ["test", "--locked", "--quiet", ...args], {
        cwd: this.path,
        env: {
          ...process.env,
          CARGO_TARGET_DIR: this.target,
          CARGO_PROFILE_TEST_DEBUG: "0",
          CARGO_PROFILE_TEST_INCREMENTAL: "true",
          ...env,
        },
        stdio: ["ignore", "pipe", "pipe"],
      });
      let output = "";
      const timer = setTimeout(() => child.kill(), LONGEST_RUN_MS);
      for (const stream of [child.stdout, child.stderr]) {
        stream.setEncoding("utf8").on("data", (text) => {
          output += text;
        });
      }
      child.on("close", (code) => {
        clearTimeout(timer);
        resolve({ code, output });
      });
    });
  }
}

const NOT_COPIED = new Set([
  "node_modules",
  "target",
  "js",
  "bench",
  "soak",
  "runtimes",
  "packaging",
  "clients",
  "demo",
]);

function copyChanged(from, to) {
  let entries;
  try {
    entries = readdirSync(from, { withFileTypes: true });
  } catch {
    const text = readFileSync(from);
    if (!isEqual(to, text)) {
      mkdirSync(dirname(to), { recursive: true });
      writeFileSync(to, text);
    }
    return;
  }
  mkdirSync(to, { recursive: true });
  const names = entries.map((entry) => entry.name).filter((name) => !NOT_COPIED.has(name));
  for (const old of readdirSync(to)) {
    if (!names.includes(old)) rmSync(join(to, old), { recursive: true });
  }
  for (const name of names) copyChanged(join(from, name), join(to, name));
}

function isEqual(path, text) {
  try {
    return readFileSync(path).equals(text);
  } catch {
    return false;
  }
}

/** The arguments of cargo for one "Found by" line. */
function argumentsFor({ how, target, test }) {
  const at = target === "lib" ? ["--lib"] : ["--test", target];
  if (how === "simulation") return [...at, "--", "--ignored", "--exact", "hunt::first_violation"];
  if (how === "search") return [...at, "--", "--exact", test];
  return [...at, "--", ...(test === undefined ? [] : [test])];
}

/** Runs the tests that are to find a bug; what each of them found, or an error. */
async function hunt(tree, patch, knownSeed) {
  const begun = performance.now();
  tree.reset();
  const { status, stderr } = apply(tree.path, join(here, patch.file));
  if (status !== 0) return { problem: `does not apply: ${stderr}` };
  const found = [];
  for (const finder of patch.foundBy) {
    const args = argumentsFor(finder);
    const built = await tree.cargo([...args.slice(0, args.indexOf("--")), "--no-run"]);
    if (built.code !== 0) return { problem: `does not compile:\n${built.output}` };
    const runs =
      finder.how === "simulation" && knownSeed !== undefined ? [knownSeed, undefined] : [undefined];
    let result;
    for (const seed of runs) {
      result = await tree.cargo(
        args,
        seed === undefined ? { SEEDS, SEED_BASE: "0" } : { SEEDS: "1", SEED_BASE: seed },
      );
      if (result.code !== 0) break;
    }
    if (result.code === 0) return { problem: `not found by ${finder.text}` };
    found.push({ ...finder, ...sawIn(result.output, finder) });
  }
  return { found, seconds: Math.round((performance.now() - begun) / 1000) };
}

/** What the output of a failing test says: the rule that was broken, and the seed. */
function sawIn(output, { how }) {
  const [, rule, seed] = /violation of "(.*)" at seed (\d+)/.exec(output) ?? [];
  if (how === "simulation" && rule === undefined) return { rule: "the run ended otherwise" };
  return { rule, seed };
}

/** Without a bug the same worlds hold and the same tests pass. */
async function holdsWithoutBugs(tree, results) {
  tree.reset();
  const finders = new Map();
  for (const { found } of results) {
    for (const finder of found) finders.set(`${finder.text} ${finder.seed ?? ""}`, finder);
  }
  const broken = [];
  for (const [name, finder] of finders) {
    const seed = finder.how === "simulation" ? { SEEDS: "1", SEED_BASE: finder.seed ?? "0" } : {};
    const { code, output } = await tree.cargo(argumentsFor(finder), seed);
    if (code !== 0) broken.push(`${name} fails without a bug:\n${output}`);
  }
  return broken;
}

async function huntAll(names) {
  const write = names.includes("--write");
  const chosen = names.filter((name) => name !== "--write");
  const all = readPatches();
  const unknown = chosen.filter((name) => !all.some((patch) => patch.name === name));
  if (unknown.length > 0) throw new Error(`no such planted bug: ${unknown.join(", ")}`);
  const patches = chosen.length === 0 ? all : all.filter(({ name }) => chosen.includes(name));
  const table = tableRows(readFileSync(README, "utf8"));
  const jobs = Number(process.env.JOBS ?? Math.max(1, availableParallelism() >> 1));
  const trees = Array.from({ length: Math.min(jobs, patches.length) }, (_, number) => new Tree(number));
  const waiting = [...patches];
  const [results, problems] = [[], []];
  const worker = async (tree) => {
    for (let patch = waiting.shift(); patch !== undefined; patch = waiting.shift()) {
      const { problem, found, seconds } = await hunt(tree, patch, table.get(patch.name)?.seed);
      if (problem === undefined) {
        results.push({ patch, found, seconds });
        const by = found.map(({ text, rule, seed }) =>
          [text, rule, seed && `seed ${seed}`].filter(Boolean).join(", "),
        );
        console.log(
          `${results.length + problems.length}/${patches.length} ${patch.name}: ${by.join("; ")} (${seconds} s)`,
        );
      } else {
        problems.push(`${patch.name}: ${problem}`);
        console.log(`${results.length + problems.length}/${patches.length} ${patch.name}: ${problem}`);
      }
    }
  };
  await Promise.all(trees.map(worker));
  problems.push(...(await holdsWithoutBugs(trees[0], results)));
  const text = withTable(readFileSync(README, "utf8"), all, results);
  if (write) writeFileSync(README, text);
  else console.log(text.slice(text.indexOf("| bug |")));
  for (const problem of problems) console.error(`planted bugs: ${problem}`);
  if (problems.length === 0)
    console.log("planted bugs: without a bug the same worlds hold and the same tests pass");
  console.log(`planted bugs: ${results.length} of ${patches.length} found`);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

const [command, ...names] = process.argv.slice(2);
if (command === "check") check();
else if (command === "hunt") await huntAll(names);
else {
  console.error("usage: tests/planted/run.js check | hunt [--write] [NAME...]");
  process.exit(2);
}
