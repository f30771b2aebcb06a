// Makes one file of a program that uses the package, as each bundler does it with its defaults.
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import nodeResolve from "@rollup/plugin-node-resolve";
import { rollup } from "rollup";
import { build as vite } from "vite";
import webpack from "webpack";

const esbuild = createRequire(new URL("../../pkg-template/package.json", import.meta.url))("esbuild");

/**
 * By name: `bundle(entry, folder)` bundles the program for Node.js, minified, into a file in `folder` and returns its path.
 * What it warns of is an error.
 */
export const bundlers = {
  "esbuild, ESM": (entry, folder) => withEsbuild(entry, join(folder, "out.mjs"), { format: "esm" }),
  "esbuild, CommonJS": (entry, folder) => withEsbuild(entry, join(folder, "out.cjs"), { format: "cjs" }),
  "Vite, SSR": (entry, folder) =>
    withVite(entry, folder, { ssr: { noExternal: true, target: "node" }, build: { ssr: entry } }),
  webpack: (entry, folder) => withWebpack(entry, join(folder, "out.cjs")),
  rollup: (entry, folder) => withRollup(entry, join(folder, "out.mjs")),
};

/** The same for browsers: a module that exports what the program does. */
export const browserBundlers = {
  "esbuild, browser": (entry, folder) =>
    withEsbuild(entry, join(folder, "out.mjs"), { format: "esm", platform: "browser" }),
  "Vite, browser": (entry, folder) =>
    withVite(entry, folder, { build: { lib: { entry, formats: ["es"], fileName: "out" } } }),
};

/** As wrangler bundles a worker: the wasm stays a file of its own, which the runtime compiles. Returns the file. */
export function forWorkers(entry, folder) {
  return withEsbuild(entry, join(folder, "out.mjs"), {
    format: "esm",
    platform: "browser",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*"],
    loader: { ".wasm": "copy" },
  });
}

/**
 * As Next bundles for the edge: a script whose value is in the global `program`. What is imported with `?module` is in the global
 * `wasm` when it runs, compiled by the runtime. Returns the file.
 */
export function forEdge(entry, folder) {
  const module = {
    name: "wasm, by ?module",
    setup(build) {
      build.onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: "edge" }));
      build.onLoad({ filter: /./, namespace: "edge" }, () => ({
        contents: "export default globalThis.wasm",
      }));
    },
  };
  return withEsbuild(entry, join(folder, "out.js"), {
    format: "iife",
    globalName: "program",
    platform: "browser",
    conditions: ["edge-light", "browser"],
    plugins: [module],
  });
}

/** With esbuild's own options over these. Returns the file. */
export async function withEsbuild(entry, file, options) {
  const { warnings } = await esbuild.build({
    entryPoints: [entry],
    outfile: file,
    bundle: true,
    minify: true,
    platform: "node",
    logLevel: "silent",
    ...options,
  });
  refuse(warnings.map((warning) => warning.text));
  return file;
}

async function withVite(entry, folder, { build, ...options }) {
  const warnings = [];
  const warn = (text) => warnings.push(text);
  const silent = { info() {}, warn, warnOnce: warn, error: warn, clearScreen() {}, hasWarned: false };
  await vite({
    root: dirname(entry),
    configFile: false,
    // Otherwise it draws its progress on standard output, which belongs to the test runner.
    logLevel: "warn",
    customLogger: { ...silent, hasErrorLogged: () => false },
    build: {
      outDir: folder,
      emptyOutDir: false,
      minify: true,
      rollupOptions: { output: { entryFileNames: "out.mjs" } },
      ...build,
    },
    ...options,
  });
  refuse(warnings);
  return join(folder, "out.mjs");
}

async function withWebpack(entry, file) {
  const compiler = webpack({
    mode: "production",
    target: "node",
    context: dirname(entry),
    entry,
    output: { path: dirname(file), filename: basename(file) },
  });
  const stats = await new Promise((resolve, reject) => {
    compiler.run((error, result) => compiler.close(() => (error ? reject(error) : resolve(result))));
  });
  const { errors, warnings } = stats.toJson({ errors: true, warnings: true });
  // Its advice on the size of assets is for web pages.
  refuse([...errors, ...warnings].map(({ message }) => message).filter((text) => !/size limit/.test(text)));
  return file;
}

async function withRollup(entry, file) {
  const bundle = await rollup({
    input: entry,
    external: /^node:/,
    plugins: [nodeResolve({ exportConditions: ["node"] })],
    onwarn: (warning) => refuse([warning.message]),
  });
  await bundle.write({ file, format: "es" });
  await bundle.close();
  return file;
}

function refuse(warnings) {
  if (warnings.length > 0) throw new Error(`the bundler warns: ${warnings.join("\n")}`);
}
