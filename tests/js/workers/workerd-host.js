// Runs a worker in workerd, by miniflare. It needs Node.js 22. It ends with its standard input, because workerd would
// outlive a host that is killed.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { input, say } from "../support/processes.js";

const { runtimes, modules, ...options } = input();
const { Miniflare } = await import(pathToFileURL(createRequire(runtimes).resolve("miniflare")).href);

const miniflare = new Miniflare({
  ...options,
  modulesRoot: "/",
  modules: modules.map(({ type, path, file, text }) => ({
    type,
    path,
    contents: text ?? readFileSync(file, type === "ESModule" ? "utf8" : undefined),
  })),
  compatibilityDate: "2026-01-01",
});
say({ url: String(await miniflare.ready) });
process.stdin.resume().once("end", async () => {
  await miniflare.dispose();
  process.exit();
});
