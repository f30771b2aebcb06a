// Copies the documents into the package.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

/** What only readers of the repository can use, and what stands in a comment there for readers of the package. */
const FOR_OTHERS = /<!-- repository -->\n[\s\S]*?<!-- end -->\n\n?/g;
const FOR_THEM = /<!-- package\n([\s\S]*?)end -->\n/g;

/**
 * Copies `name` into `folder`, the package with these `files`. A link to a file of the package is adjusted; of a link to a
 * file that only the repository has, the words remain. Throws on a link to a file that does not exist.
 */
export function copyDocument(name, folder, files) {
  const text = readFileSync(join(root, name), "utf8");
  const theirs = text.replace(FOR_OTHERS, "").replace(FOR_THEM, "$1");
  const packed = theirs.replace(
    /\[([^\]]+)\]\((?!\w+:|#)([^)#]+)(#[^)]*)?\)/g,
    (_, words, path, anchor = "") => {
      if (!existsSync(join(root, path))) throw new Error(`${name}: ${path} does not exist`);
      const there = path.replace(/^pkg-template\//, "");
      const isThere = files.some((file) => there === file || there.startsWith(`${file}/`));
      return isThere ? `[${words}](${there}${anchor})` : words;
    },
  );
  writeFileSync(join(folder, name), packed);
}
