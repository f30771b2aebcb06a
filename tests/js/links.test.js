// Every relative link of a document leads to a file of the repository, and to a heading that is there.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const SKIPPED = ["node_modules", "target", "pkg", "seeds"];

/** Every document below a folder, but for what is installed or built. */
function documents(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => !SKIPPED.includes(name) && !name.startsWith("."))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return documents(path);
      return entry.name.endsWith(".md") ? [path] : [];
    });
}

const prose = (path) => readFileSync(path, "utf8").replace(/^```[\s\S]*?^```$/gm, "");

/** The anchors of a document, as GitHub makes them of its headings. */
function anchors(path) {
  return [...prose(path).matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, "")
      .replace(/\s/g, "-"),
  );
}

/** The links of a document that lead nowhere. */
function broken(path) {
  const links = [...prose(path).matchAll(/\]\((?!\w+:)([^)#\s]*)(?:#([^)]*))?\)/g)];
  return links
    .filter(([, target, anchor]) => {
      const leadsTo = target === "" ? path : join(dirname(path), target);
      if (!existsSync(leadsTo)) return true;
      return anchor !== undefined && statSync(leadsTo).isFile() && !anchors(leadsTo).includes(anchor);
    })
    .map(([link]) => `${relative(root, path)}: ${link}`);
}

test("every link between documents leads somewhere", () => {
  const all = documents(root);
  assert.ok(all.length >= 10, `only ${all.length} documents were found`);
  assert.deepEqual(all.flatMap(broken), []);
});
