// The package in workerd, Cloudflare's runtime, as miniflare runs it for developers.
import { readdirSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { resolveExport, unpack } from "./packed.js";
import { startWorker } from "./processes.js";
import { programs, runtimesFolder } from "./runtimes.js";

const HOST = new URL("../workers/workerd-host.js", import.meta.url);
const ROOT = fileURLToPath(new URL("..", import.meta.url));
/** What wrangler asks for. */
const CONDITIONS = ["workerd", "worker", "browser", "import"];
const TYPES = { ".js": "ESModule", ".mjs": "ESModule", ".wasm": "CompiledWasm" };

/**
 * Runs a worker of the folder workers/, or from a file: URL, with the packed package: `imports` are the files of tests/js that it may import. Other options
 * are miniflare's, such as bindings and durableObjects; `env` is its environment.
 *
 * Returns { url, ask(path, options of fetch), output }; `ask` resolves to the answer's JSON.
 */
export async function startWorkerd(scope, name, { imports = [], env, packed = unpack(scope), ...options }) {
  const file = (path) => ({ type: "ESModule", path: `/${path}`, file: join(ROOT, path) });
  const dist = readdirSync(join(packed, "dist"), { recursive: true })
    .map((path) => join("dist", path))
    .filter((path) => extname(path) in TYPES)
    .map((path) => ({ type: TYPES[extname(path)], path: `/package/${path}`, file: join(packed, path) }));
  // There is no node_modules in workerd: a module of the package's name leads to what its exports say.
  const entries = ["redlatch", "redlatch/slim", "redlatch/memory"].map((specifier) => ({
    type: "ESModule",
    path: `/workers/${specifier}`,
    text: `export * from "${specifier.includes("/") ? "../" : ""}../package/${relative(".", resolveExport(packed, specifier, CONDITIONS))}";`,
  }));
  const core = {
    ...dist.find(({ path }) => path.endsWith("/core.wasm")),
    path: "/workers/redlatch/core.wasm",
  };
  const main =
    name instanceof URL
      ? { type: "ESModule", path: "/workers/main.js", file: fileURLToPath(name) }
      : file(`workers/${name}`);
  const modules = [main, ...imports.map(file), ...dist, ...entries, core];
  const worker = startWorker(
    scope,
    HOST,
    { runtimes: runtimesFolder, modules, ...options },
    { command: programs.node22, env, group: true },
  );
  const { url } = await worker.said((message) => message.url, 20_000);
  return {
    url,
    output: worker.output,
    async ask(path, options) {
      const response = await fetch(new URL(path, url), options);
      const text = await response.text();
      if (!response.ok) throw new Error(`workerd answered ${response.status}: ${text}`);
      return JSON.parse(text);
    },
  };
}

/** The files of the conformance tests. */
export const conformance = readdirSync(join(ROOT, "conformance")).map((name) => `conformance/${name}`);
