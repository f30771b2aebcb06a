// What a patch of this folder says about its bug, and the table of README.md.
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The fewest bugs that are planted. */
const FEWEST = 40;

/** A patch: what is wrong, which rules that breaks, and which tests find it. */
export function parsePatch(file, text) {
  const head = text.slice(0, text.indexOf("\ndiff --git ") + 1);
  const [what, ...rest] = head.split("\n\n");
  const values = (field) =>
    rest
      .join("\n")
      .split("\n")
      .filter((line) => line.startsWith(`${field}: `))
      .map((line) => line.slice(field.length + 2));
  return {
    file,
    name: file.replace(/\.patch$/, ""),
    what: what.replaceAll("\n", " ").trim(),
    rules: values("Rule"),
    foundBy: values("Found by").map(parseFinder),
  };
}

/** A "Found by" line: `simulation`, `search WORLD` or `cargo test TARGET [TEST]`. */
function parseFinder(text) {
  const [, world] = /^search (\w+)$/.exec(text) ?? [];
  const [, target, test] = /^cargo test (\w+)(?: (\S+))?$/.exec(text) ?? [];
  if (text === "simulation") return { text, how: "simulation", target: "sim" };
  if (world !== undefined) return { text, how: "search", target: "search", test: world };
  if (target !== undefined) return { text, how: "test", target, test };
  return { text, how: undefined };
}

/** What is wrong with the patches' headers, and with the table. */
export function problemsOf(patches, root, readme) {
  const rules = new Set(
    [...readFileSync(join(root, "www/guide/rules.md"), "utf8").matchAll(/^## Rule (\d+):/gm)].map(
      ([, n]) => n,
    ),
  );
  const problems = patches.flatMap((patch) => [
    ...headerProblems(patch, rules),
    ...patch.foundBy
      .flatMap((finder) => finderProblems(finder, root))
      .map((text) => `${patch.file}: ${text}`),
  ]);
  for (const rule of rules) {
    if (!patches.some((patch) => patch.rules.includes(rule))) problems.push(`no bug breaks rule ${rule}`);
  }
  if (patches.length < FEWEST) problems.push(`there are only ${patches.length} of at least ${FEWEST}`);
  const rows = [...tableRows(readme).keys()].sort();
  const names = patches.map(({ name }) => name);
  for (const row of rows)
    if (!names.includes(row)) problems.push(`README.md lists ${row}, which has no patch`);
  for (const name of names) if (!rows.includes(name)) problems.push(`README.md does not list ${name}`);
  return problems;
}

function headerProblems({ file, what, rules, foundBy }, known) {
  const problems = [];
  if (!/^[A-Z].*\.$/.test(what)) problems.push("it does not begin with a sentence that says what is wrong");
  if (rules.length === 0) problems.push('it has no line "Rule: N" or "Rule: none"');
  if (foundBy.length === 0) problems.push('it has no line "Found by: ..."');
  for (const rule of rules)
    if (rule !== "none" && !known.has(rule)) problems.push(`there is no rule ${rule}`);
  return problems.map((problem) => `${file}: ${problem}`);
}

function finderProblems({ text, how, target, test }, root) {
  if (how === undefined) return [`"${text}" is not a way to find a bug`];
  const path = [`tests/${target}.rs`, `tests/${target}`, "src"].find(
    (each) => existsSync(join(root, each)) && (each === "src") === (target === "lib"),
  );
  if (path === undefined) return [`there are no tests "${target}"`];
  if (test === undefined) return [];
  const pattern = how === "search" ? new RegExp(`^ {4}${test}$`, "m") : new RegExp(`\\bfn \\w*${test}`);
  return rustFiles(join(root, path)).some((file) => pattern.test(readFileSync(file, "utf8")))
    ? []
    : [`${target} has no test "${test}"`];
}

function rustFiles(path) {
  if (statSync(path).isFile()) return [path];
  const names = readdirSync(path, { recursive: true }).filter((name) => name.endsWith(".rs"));
  return names.map((name) => join(path, name));
}

/** The rows of the table by the name of the bug, with the seed at which the simulation found it. */
export function tableRows(readme) {
  const rows = [...readme.matchAll(/^\| `([\w-]+)` \|.*$/gm)];
  return new Map(rows.map(([line, name]) => [name, { line, seed: /, seed (\d+)/.exec(line)?.[1] }]));
}

/** README.md with a table of all patches: new rows for `results`, the old ones for all others. */
export function withTable(readme, patches, results) {
  const old = tableRows(readme);
  const lines = patches.map((patch) => {
    const result = results.find((each) => each.patch.name === patch.name);
    return result === undefined
      ? (old.get(patch.name)?.line ?? newRow(patch, "not hunted yet"))
      : foundRow(result);
  });
  const table = ["| bug | what is wrong | rule | found by |", "|---|---|---|---|", ...lines].join("\n");
  const text = readme.replace(/\| bug \|(?:.*\n?)*/, "").trimEnd();
  return `${text}\n\n${table}\n`;
}

function foundRow({ patch, found }) {
  const by = found.map(({ text, rule, seed }) => {
    const way = text.replace(/^(search|cargo test \w+) (\w+)$/, "$1 `$2`");
    return rule === undefined ? way : `${way} ("${rule}", seed ${seed})`;
  });
  return newRow(patch, by.join("; "));
}

const newRow = ({ name, what, rules }, by) => `| \`${name}\` | ${what} | ${rules.join(", ")} | ${by} |`;
