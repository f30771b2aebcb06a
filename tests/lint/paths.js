// Which files a source file imports, by its `import` or `use` lines.
import { posix } from "node:path";

/** The files that the file `name` imports, as far as they are among `files`. */
export function importsOf(name, text, files) {
  return name.endsWith(".rs") ? rustImports(name, text, files) : scriptImports(name, text, files);
}

/** Whether a file is a test, whose imports do not count. */
export function isTest(name) {
  return /(^|\/)tests(\.rs$|\/)/.test(name);
}

function scriptImports(name, text, files) {
  const specifiers = text.matchAll(
    /^(?:import|export)\b[^"';]*["'](\.[^"']+)["']|\bimport\(["'](\.[^"']+)["']\)/gm,
  );
  const targets = Array.from(specifiers, ([, specifier, dynamic]) => {
    const path = posix.join(posix.dirname(name), specifier ?? dynamic).replace(/\.js$/, "");
    return [`${path}.ts`, `${path}.d.ts`].find((file) => files.has(file));
  });
  return targets.filter((target) => target !== undefined);
}

function rustImports(name, text, files) {
  const code = codeOf(text);
  // Also paths in the code itself: they need no `use`.
  const paths = Array.from(code.matchAll(/\b(?:crate|super|self)(?:::\w+)+/g), ([path]) => ({ path }));
  const targets = [...usesIn(code), ...paths].map(({ path }) => fileOf(path, name, files));
  return targets.filter((target) => target !== undefined && target !== name);
}

/** What the `use` lines bring in: each path, and the name that it has here. */
function usesIn(code) {
  const uses = Array.from(code.matchAll(/\buse\s+([^;]+);/g), ([, tree]) =>
    expand(tree.replace(/\s+/g, " ")),
  );
  return uses.flat();
}

/** `a::{b, c::{d, e as f}}` as the list of its paths. */
function expand(tree) {
  const open = tree.indexOf("{");
  if (open === -1) {
    const [path, alias] = tree.trim().split(" as ");
    return [{ path: path.replace(/::self$/, ""), alias: alias ?? path.split("::").at(-1) }];
  }
  const prefix = tree.slice(0, open).trim();
  const inner = tree.slice(open + 1, tree.lastIndexOf("}"));
  return branches(inner).flatMap((branch) => expand(prefix + branch.trim()));
}

/** Splits at the commas that are not within braces. */
function branches(list) {
  const parts = [""];
  let depth = 0;
  for (const character of list) {
    if (character === "{") depth += 1;
    if (character === "}") depth -= 1;
    if (character === "," && depth === 0) parts.push("");
    else parts[parts.length - 1] += character;
  }
  return parts.filter((part) => part.trim() !== "");
}

/**
 * The file of the deepest module on a path; undefined for other crates. Where that module only passes on what it has from
 * another, the other's.
 */
function fileOf(path, name, files) {
  let names = path.split("::");
  let module = moduleOf(name);
  if (names[0] === "crate") {
    module = [];
    names = names.slice(1);
  } else if (names[0] === "self") {
    names = names.slice(1);
  } else if (names[0] === "super") {
    for (; names[0] === "super"; names = names.slice(1)) module = module.slice(0, -1);
  } else if (fileOfModule([...module, names[0]], files) === undefined) {
    return undefined;
  }
  for (; names.length > 0; names = names.slice(1)) {
    if (fileOfModule([...module, names[0]], files) === undefined) break;
    module = [...module, names[0]];
  }
  const file = fileOfModule(module, files);
  if (names.length === 0 || file === undefined || file === name) return file;
  const passedOn = usesIn(codeOf(files.get(file) ?? "")).find(({ alias }) => alias === names[0]);
  return (passedOn && fileOf(passedOn.path, file, files)) ?? file;
}

/** The path of the module that a file holds. */
function moduleOf(name) {
  const parts = name.replace(/\.rs$/, "").split("/");
  return parts.at(-1) === "mod" || name === "lib.rs" ? parts.slice(0, -1) : parts;
}

function fileOfModule(module, files) {
  const path = module.join("/");
  return module.length === 0 ? "lib.rs" : [`${path}.rs`, `${path}/mod.rs`].find((file) => files.has(file));
}

/** What counts: no comments, no tests, and in modules within the file `super` is the file itself. */
function codeOf(text) {
  const code = withoutTests(withoutComments(text));
  return code.replace(/\bmod \w+ \{[\s\S]*?^\}/gm, (module) => module.replaceAll("super::", "self::"));
}

function withoutComments(code) {
  return code.replace(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (match) =>
    match[0] === '"' ? '""' : "",
  );
}

/** Drops each item below `#[cfg(test)]`, up to its semicolon or its closing brace. */
function withoutTests(code) {
  const start = code.indexOf("#[cfg(test)]");
  if (start === -1) return code;
  let depth = 0;
  let end = start;
  for (; end < code.length; end += 1) {
    if (code[end] === "{") depth += 1;
    if (code[end] === "}") depth -= 1;
    if (depth === 0 && (code[end] === ";" || code[end] === "}")) break;
  }
  return withoutTests(code.slice(0, start) + code.slice(end + 1));
}
