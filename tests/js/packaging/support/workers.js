// A worker that a bundler has made, in workerd.
import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { startWorker } from "../../support/processes.js";
import { programs, runtimesFolder } from "../../support/runtimes.js";

const HOST = new URL("../../workers/workerd-host.js", import.meta.url);

/** Runs the bundle in `folder`, the module out.mjs and its wasm, and resolves to its answer to one request, from JSON. */
export async function askWorker(scope, folder, bindings = {}) {
  const wasm = readdirSync(folder).filter((name) => name.endsWith(".wasm"));
  const modules = [
    { type: "ESModule", path: "/out.mjs", file: join(folder, "out.mjs") },
    ...wasm.map((name) => ({ type: "CompiledWasm", path: `/${name}`, file: join(folder, name) })),
  ];
  const input = { runtimes: runtimesFolder, modules, bindings };
  const host = startWorker(scope, HOST, input, { command: programs.node22, group: true });
  const { url } = await host.said((message) => message.url, 20_000);
  const response = await fetch(url);
  const text = await response.text();
  assert.equal(response.status, 200, text + host.output.join("\n"));
  return JSON.parse(text);
}
