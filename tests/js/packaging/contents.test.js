// What npm would publish: what is needed, and nothing else.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, extname, join, posix } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { publintMessages, typesProblems } from "../../packaging/checkers.js";
import { packageFolder } from "../support/redlatch.js";
import { pack } from "./support/tarball.js";

const read = (name) => readFileSync(join(packageFolder, name));
const manifest = JSON.parse(read("package.json"));

const packed = await pack({ after });

/** The files that the exports map names. */
function exported() {
  const targets = (value) =>
    typeof value === "string"
      ? [posix.normalize(value.replace("?module", ""))]
      : Object.values(value).flatMap(targets);
  const { main, types, typesVersions, exports } = manifest;
  return [...new Set([main, types, typesVersions, exports].flatMap(targets))];
}

/** These files and all that they import, of scripts and of declarations. */
function reached(files) {
  const all = new Set();
  const visit = (name) => {
    if (all.has(name)) return;
    all.add(name);
    if (!/\.(c?js|d\.c?ts)$/.test(name)) return;
    const imports = String(read(name)).matchAll(/\b(?:from|import|require)\s*\(?"(\.[^"?]+)(?:\?module)?"/g);
    for (const [, target] of imports) {
      const file = posix.join(dirname(name), target);
      visit(/\.d\.c?ts$/.test(name) ? file.replace(/\.(c?)js$/, ".d.$1ts") : file);
    }
  };
  files.forEach(visit);
  return [...all];
}

test("the tarball has the documents, the examples and what its entries lead to, no more and no less", () => {
  const documents = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md", "package.json"];
  const sources = fileURLToPath(new URL("../../../pkg-template/examples", import.meta.url));
  const examples = readdirSync(sources).map((name) => `examples/${name}`);
  const expected = new Set([...documents, ...examples, ...reached(exported())]);
  assert.deepEqual(packed.files, [...expected].sort());
  assert.ok(packed.files.length > 30 && packed.files.includes("dist/core.wasm"));
});

test("links in the documents lead to what is in the tarball", () => {
  const links = packed.files
    .filter((name) => name.endsWith(".md"))
    .flatMap((name) => [...String(read(name)).matchAll(/\]\((?!\w+:|#)([^)#]+)/g)].map(([, path]) => path));
  assert.ok(links.includes("examples/websocket-bridge.mjs"), links.join());
  const isThere = (path) => packed.files.some((file) => file === path || file.startsWith(`${path}/`));
  assert.deepEqual(
    links.filter((path) => !isThere(path)),
    [],
  );
});

test("the published manifest asks for nothing and runs nothing", () => {
  const forbidden = [
    "dependencies",
    "devDependencies",
    "peerDependencies",
    "optionalDependencies",
    "scripts",
  ];
  assert.deepEqual(
    Object.keys(manifest).filter((key) => forbidden.includes(key)),
    [],
  );
  assert.equal(manifest.sideEffects, false);
  assert.match(manifest.version, /^\d+\.\d+\.\d+$/);
});

test("the packed README names no file and no goal of make that only the repository has", () => {
  const readme = String(read("README.md"));
  assert.match(readme, /^```sh\nnpm install redlatch\n```$/m);
  assert.doesNotMatch(readme, /<!--|^make (build|demo|test)|`make|www\/|pkg-template|HACKING|CONTRIBUTING/m);
  const files = [...readme.matchAll(/\b[A-Z]{3,}\.md\b/g)].map(([name]) => name);
  assert.deepEqual(
    files.filter((name) => !packed.files.includes(name)),
    [],
  );
});

test("the README's sizes are those of make size", async () => {
  const { sizes } = await import("../../../pkg-template/build/size.mjs");
  const measured = sizes();
  const [wasm, inlined, script] = ["wasm", "wasm, inlined", "JavaScript, Node.js, Deno, Bun"].map(
    (name) => measured[name].gzip / 1000,
  );
  const text = String(read("README.md")).replace(/\s+/g, " ");
  const said =
    /about (\d+) kB after gzip: (\d+) kB of WebAssembly, and (\d+) kB of JavaScript\..*\((\d+) kB after gzip\)/.exec(
      text,
    );
  assert.ok(said, "the README has a sentence about sizes");
  [inlined + script, inlined, script, wasm].forEach((size, index) => {
    const share = said[index + 1] / size;
    assert.ok(share > 0.9 && share < 1.1, `the README says ${said[index + 1]} kB; measured: ${size}`);
  });
});

test("nothing is larger than its budget", async () => {
  const { BUDGET, sizes } = await import("../../../pkg-template/build/size.mjs");
  const gzipped = Object.entries(sizes()).map(([name, { gzip }]) => [name, gzip]);
  const measured = { ...Object.fromEntries(gzipped), "npm package": packed.size };
  assert.deepEqual(Object.keys(measured), Object.keys(BUDGET));
  for (const [name, size] of Object.entries(measured)) {
    assert.ok(size <= BUDGET[name], `${name}: ${size} bytes, and at most ${BUDGET[name]} are allowed`);
  }
});

test("nothing reveals the machine that built the package, and no source map is referenced", () => {
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const registry = execFileSync("npm", ["config", "get", "registry"], { encoding: "utf8" }).trim();
  const host = new URL(registry).hostname;
  const secrets = [root.slice(0, -1), homedir(), "sourceMappingURL", "/registry/src/", ".cargo", host];
  for (const name of packed.files) {
    // Where a script finds its interpreter is the same everywhere.
    const text = read(name)
      .toString("latin1")
      .replace(/^#!\/usr\/bin\/env /, "");
    for (const secret of secrets.filter((each) => each.length > 1)) {
      assert.ok(!text.includes(secret), `${name} has ${secret}`);
    }
    const path = /(?<![\w.])\/(?:home|root|tmp|usr|work|Users|var|opt|mnt)\/[\w.-]+/.exec(text)?.[0];
    // An example in the documents is a path of the reader's.
    if (extname(name) !== ".md") assert.equal(path, undefined, name);
  }
});

test("each module has a twin of the other kind, except where only a bundler loads it", () => {
  const scripts = packed.files.filter((name) => /^dist\/.*\.c?js$/.test(name));
  const twin = (name) => (name.endsWith(".cjs") ? name.replace(/cjs$/, "js") : name.replace(/js$/, "cjs"));
  const alone = scripts.filter((name) => !scripts.includes(twin(name)));
  const forBundlers = [
    "entry/edge-light.js",
    "entry/memory/workerd.js",
    "entry/slim/workerd.js",
    "entry/workerd.js",
  ];
  const expected = [...forBundlers, "transport/workerd.js"].map((name) => `dist/${name}`);
  assert.deepEqual(alone.sort(), expected.sort());
});

test("no module waits when it is loaded: require() could not load it, nor what imports it", async () => {
  const { transformSync } = await import("../../../pkg-template/node_modules/esbuild/lib/main.js");
  for (const name of packed.files.filter((file) => /^dist\/.*\.c?js$/.test(file))) {
    // esbuild refuses a top-level await in CommonJS.
    transformSync(String(read(name)), { format: "cjs", sourcefile: name });
  }
  assert.throws(() => transformSync("await 1", { format: "cjs", logLevel: "silent" }), /Top-level await/);
});

test("publint has nothing to say", async () => {
  assert.deepEqual(await publintMessages(readFileSync(packed.path), manifest), []);
});

test("the types are right for whoever imports or requires them", async () => {
  const { entrypoints, problems } = await typesProblems(readFileSync(packed.path));
  assert.deepEqual(problems, []);
  for (const entry of [".", "./slim", "./memory"]) assert.ok(entrypoints.includes(entry), entry);
});
