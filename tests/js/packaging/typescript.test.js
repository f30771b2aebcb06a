// A program in TypeScript, compiled by each way in which TypeScript finds and makes modules, and run.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { execute } from "./support/runtimes.js";
import { emptyFolder, installedProject } from "./support/tarball.js";

// The last one that knows all of these ways.
const ts = createRequire(new URL("../../packaging/package.json", import.meta.url))("typescript59");
const source = fileURLToPath(new URL("apps/typed.ts", import.meta.url));
const project = await installedProject({ after });

/** By name: what it takes to compile a program for Node.js that way, and the type of its package.json. */
const ways = {
  "CommonJS, as of old": { module: "CommonJS", moduleResolution: "node10", type: "commonjs" },
  "CommonJS, node16": { module: "Node16", type: "commonjs" },
  "CommonJS, node18": { module: "Node18", type: "commonjs" },
  "CommonJS, node20": { module: "Node20", type: "commonjs" },
  "CommonJS, nodenext": { module: "NodeNext", type: "commonjs" },
  "ES modules, node16": { module: "Node16", type: "module" },
  "ES modules, nodenext": { module: "NodeNext", type: "module" },
  "ES modules, bundler": { module: "ESNext", moduleResolution: "bundler", type: "module" },
};

const settings = {
  target: "ES2021",
  lib: ["ES2021"],
  types: [],
  strict: true,
  exactOptionalPropertyTypes: true,
};

/** All that is needed besides: a browser's types and Node.js's have it, and take long to compile. */
const globals = `
interface AbortSignal { readonly aborted: boolean; readonly reason: unknown }
declare const console: { log(text: string): void };
`;

/** The compiler's libraries take longer to read than the rest to compile, and are the same in every program. */
const libraries = new Map();

function compile(file, options) {
  const host = ts.createCompilerHost(options);
  const parse = host.getSourceFile;
  host.getSourceFile = (name, ...rest) => {
    if (!name.includes("/typescript59/")) return parse(name, ...rest);
    if (!libraries.has(name)) libraries.set(name, parse(name, ...rest));
    return libraries.get(name);
  };
  const program = ts.createProgram([file, join(dirname(file), "globals.d.ts")], options, host);
  const ours = program.getSourceFiles().filter(({ fileName }) => !libraries.has(fileName));
  const found = [
    ...program.getOptionsDiagnostics(),
    ...program.getGlobalDiagnostics(),
    // The package's declarations too, as without skipLibCheck.
    ...ours.flatMap((each) => [
      ...program.getSyntacticDiagnostics(each),
      ...program.getSemanticDiagnostics(each),
    ]),
  ];
  program.emit();
  return {
    problems: found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n")),
    declarations: ours.map(({ fileName }) => fileName).filter((name) => name.includes("/redlatch/")),
  };
}

for (const [what, { type, ...own }] of Object.entries(ways)) {
  test(`TypeScript, ${what}: compiles, and runs`, async (t) => {
    const folder = emptyFolder(t);
    mkdirSync(join(folder, "node_modules"));
    symlinkSync(join(project, "node_modules/redlatch"), join(folder, "node_modules/redlatch"));
    cpSync(source, join(folder, "typed.ts"));
    writeFileSync(join(folder, "globals.d.ts"), globals);
    writeFileSync(join(folder, "package.json"), JSON.stringify({ type }));
    const { options, errors } = ts.convertCompilerOptionsFromJson({ ...settings, ...own }, folder);
    assert.deepEqual(errors, []);
    const { problems, declarations } = compile(join(folder, "typed.ts"), options);
    assert.deepEqual(problems, []);
    const ending = type === "commonjs" ? ".d.cts" : ".d.ts";
    assert.ok(
      declarations.length > 10 && declarations.every((each) => each.endsWith(ending)),
      declarations.join(),
    );

    const program = join(folder, "typed.js");
    assert.equal(/\brequire\("redlatch"\)/.test(readFileSync(program, "utf8")), type === "commonjs");
    const { stdout, stderr } = await execute([process.execPath, program]);
    assert.notEqual(stdout, "", stderr);
    assert.deepEqual(JSON.parse(stdout), { refused: 1, cause: "undefined", outcome: "released" });
  });
}
