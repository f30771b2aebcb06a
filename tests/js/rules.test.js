// Every rule of the rules page is proven by tests that exist, and every rule that code or tests cite exists.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const read = (path) => readFileSync(join(root, path), "utf8");

const RULES = "www/guide/rules.md";
const PROOFS = "tests/README.md";
/** The planted bugs, one patch each. */
const PLANTED = "tests/planted";
const SOURCES = ["src", "lua", "pkg-template/src", "tests"];
const DOCUMENTS = ["README.md", "HACKING.md", "CHANGELOG.md", "www/guide"];

/** Every text file at or below `path`, from the root. Folders of installed or recorded things are left out. */
function files(path) {
  if (statSync(join(root, path)).isFile()) return [path];
  return readdirSync(join(root, path), { withFileTypes: true })
    .filter(({ name }) => !["node_modules", "seeds", "target"].includes(name) && !name.startsWith("."))
    .flatMap((entry) =>
      entry.isDirectory() || /\.(rs|lua|[cm]?js|ts|md)$/.test(entry.name)
        ? files(join(path, entry.name))
        : [],
    );
}

/** As GitHub makes an anchor of a heading. */
const anchor = (heading) =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .replace(/\s/g, "-");

const rules = new Map(
  [...read(RULES).matchAll(/^## (Rule (\d+): .+)$/gm)].map(([, heading, number]) => [
    Number(number),
    heading,
  ]),
);

/** The rows of the table of proofs: the rule's number and link, and a cell for each column after that. */
const rows = [...read(PROOFS).matchAll(/^\| \[(\d+) [^\]]*\]\(([^)]+)\) \| (.+) \|$/gm)].map(
  ([, number, link, rest]) => ({ number: Number(number), link, cells: rest.split(" | ") }),
);

/** A path of the table's is below tests/, or below the root. */
const place = (path) => (path.startsWith("src/") ? path : join("tests", path));

/** Whether a test, a search world or a rule of an observer is called so in this file or folder. */
function names(path, name) {
  const inRust = new RegExp(`\\bfn ${name}\\(|^ {4}${name}$`, "m");
  return files(path)
    .map(read)
    .some((text) => ['"', "`"].some((quote) => text.includes(quote + name + quote)) || inRust.test(text));
}

/** What a cell names that does not exist. */
function missing(cell) {
  const problems = [];
  let path;
  for (const [, file, name] of cell.matchAll(/`([^`]+)`|"((?:[^"\\]|\\.)+)"/g)) {
    if (file !== undefined) {
      path = place(file);
      if (!existsSync(join(root, path))) problems.push(`${path} does not exist`);
    } else if (path === undefined || !existsSync(join(root, path)) || !names(path, name)) {
      problems.push(`${path} has no "${name}"`);
    }
  }
  return problems;
}

/** The planted bugs that break each rule, by the rules' numbers. */
const planted = new Map([...rules.keys()].map((number) => [number, []]));
for (const file of readdirSync(join(root, PLANTED))
  .filter((name) => name.endsWith(".patch"))
  .sort()) {
  for (const [, number] of read(join(PLANTED, file)).matchAll(/^Rule: (\d+)$/gm))
    planted.get(Number(number))?.push(file.replace(/\.patch$/, ""));
}

test("the rules are numbered without a gap", () => {
  assert.deepEqual(
    [...rules.keys()],
    Array.from(rules, (_, index) => index + 1),
  );
  assert.ok(rules.size >= 15, `only ${rules.size} rules were found`);
});

test("every rule has one row of proofs, which links to it", () => {
  assert.deepEqual(
    rows.map(({ number }) => number),
    [...rules.keys()],
  );
  for (const { number, link } of rows)
    assert.equal(link, `../www/guide/rules.md#${anchor(rules.get(number))}`);
});

test("every proof of a rule exists: file and test", () => {
  const problems = rows.flatMap(({ number, cells }) => {
    const proofs = cells.slice(0, -1);
    const empty = proofs.filter((cell) => !cell.includes("`")).map(() => "a column without a file");
    const wrong = [...empty, ...proofs.flatMap(missing)];
    return wrong.map((problem) => `rule ${number}: ${problem}`);
  });
  assert.deepEqual(problems, []);
});

test("the row of a rule names every planted bug that breaks the rule, and no other", () => {
  for (const { number, cells } of rows) {
    const named = [...cells.at(-1).matchAll(/`([^`]+)`/g)].map(([, name]) => name);
    assert.deepEqual(named, planted.get(number), `rule ${number}`);
    assert.notDeepEqual(named, [], `no planted bug breaks rule ${number}`);
  }
});

test("what does not exist is noticed", () => {
  assert.deepEqual(missing('`engine/no_such_file.rs`; `engine/validity.rs` "no_such_test"'), [
    "tests/engine/no_such_file.rs does not exist",
    'tests/engine/validity.rs has no "no_such_test"',
  ]);
});

test("every rule that code, tests and documents cite exists", () => {
  const cited = [...SOURCES, ...DOCUMENTS]
    .flatMap(files)
    .flatMap((path) =>
      [...read(path).matchAll(/\brule (\d+)\b/gi)].map(([, number]) => ({ path, number: Number(number) })),
    );
  assert.ok(cited.length > 80, `only ${cited.length} citations were found`);
  assert.deepEqual(
    cited.filter(({ number }) => !rules.has(number)),
    [],
  );
});

test("what code cites of the design is on the rules page", () => {
  const text = read(RULES);
  const cited = SOURCES.slice(0, -1)
    .flatMap(files)
    .flatMap((path) => read(path).match(/design, section \d+/g) ?? []);
  for (const citation of cited) assert.ok(text.includes(citation), citation);
});

test("every path that the rules and the glossary name exists", () => {
  const named = [RULES, "www/guide/glossary.md"].flatMap((page) =>
    [...read(page).matchAll(/`((?:src|lua|pkg-template|tests|www)\/[^`]*)`/g)].map(([, path]) => path),
  );
  assert.ok(named.length > 10, `only ${named.length} paths were found`);
  assert.deepEqual(
    named.filter((path) => !existsSync(join(root, path))),
    [],
  );
});
