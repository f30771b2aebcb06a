import { readdirSync, readFileSync, rmSync } from "node:fs";
import { dirname, join, resolve } from "node:path";

/** Deletes the declarations that the public ones do not lead to: what is not public is not shipped as if it were. */
export function pruneDeclarations(dist) {
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file)) return;
    reached.add(file);
    for (const [, target] of readFileSync(file, "utf8").matchAll(/from "(\.[^"]+)\.js"/g)) {
      visit(`${resolve(dirname(file), target)}.d.ts`);
    }
  };
  const files = readdirSync(dist, { recursive: true }).map((name) => join(dist, name));
  const declarations = files.filter((file) => file.endsWith(".d.ts"));
  for (const entry of ["index.d.ts", "slim.d.ts"]) visit(join(dist, entry));
  for (const file of declarations) if (!reached.has(file)) rmSync(file);
}
