// The documents as the package has them.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "./paths.mjs";

/**
 * Copies `name` into `folder`, whose `files` are the package's. Links lead to what is in the package; of those that lead to
 * what only the repository has, the words stay. Throws on a link that leads nowhere in the repository.
 */
export function copyDocument(name, folder, files) {
  const text = readFileSync(join(root, name), "utf8");
  const packed = text.replace(
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
