// The development bridge, in a project of its own as its users have it: the script, and the package ws.
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { until } from "./conditions.js";
import { startWorker } from "./processes.js";

const SCRIPT = fileURLToPath(new URL("../../../pkg-template/examples/websocket-bridge.mjs", import.meta.url));
const runtimes = new URL("../../runtimes/", import.meta.url);

/** The constructor of the package ws. */
export const { WebSocket, WebSocketServer } = createRequire(new URL("package.json", runtimes))("ws");

/** Starts the script with these arguments: a worker as startWorker makes it. */
export function runBridge(scope, args, options = {}) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-bridge-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true }));
  const script = join(folder, "websocket-bridge.mjs");
  copyFileSync(SCRIPT, script);
  symlinkSync(fileURLToPath(new URL("node_modules", runtimes)), join(folder, "node_modules"));
  return startWorker(scope, pathToFileURL(script), undefined, { more: args, ...options });
}

/** A bridge to `servers` (URLs) on a free port, once it listens: { url, stop(), output }. `options`: { env, args }. */
export async function startBridge(scope, servers, { env, args = ["--port", "0"] } = {}) {
  const worker = runBridge(scope, [...args, ...servers], { env });
  const url = await until(() => worker.output.find((line) => line.startsWith("ws://")), {
    within: 10_000,
    what: "the bridge's word that it listens",
  });
  return {
    url,
    output: worker.output,
    async stop() {
      worker.child.kill("SIGKILL");
      await worker.exit;
    },
  };
}
