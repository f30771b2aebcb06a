// Real headless Chromium, steered by its debugging protocol.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { WebSocket } from "./bridge.js";
import { tend } from "./children.js";
import { settles } from "./conditions.js";

const FLAGS = [
  "--headless",
  // Chromium refuses its sandbox to root.
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

/** Starts it; it ends with `scope`. Returns { open(url) }, which resolves to a page once that has loaded. */
export async function startChromium(scope) {
  const profile = mkdtempSync(join(tmpdir(), "redlatch-chromium-"));
  const child = spawn("chromium", [...FLAGS, `--user-data-dir=${profile}`, "about:blank"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = [];
  const address = new Promise((resolve, reject) => {
    child.once("error", (error) =>
      reject(new Error(`chromium cannot be run (${error.code}); make chromium`)),
    );
    child.once("exit", () => reject(new Error(`chromium has ended:\n${log.join("\n")}`)));
    createInterface({ input: child.stderr }).on("line", (line) => {
      log.push(line);
      const [, url] = /^DevTools listening on (ws:\S+)$/.exec(line) ?? [];
      if (url !== undefined) resolve(url);
    });
  });
  const exit = tend(child);
  scope.after(async () => {
    child.kill("SIGKILL");
    await exit;
    rmSync(profile, { recursive: true, force: true, maxRetries: 10 });
  });
  const browser = await dial(await settles(address, 30_000, "the start of chromium"));
  return { open: (url) => openPage(browser, url) };
}

/** { send(method, params, session), once(method, session) } over one WebSocket. */
async function dial(url) {
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  const calls = new Map();
  const listeners = new Set();
  let last = 0;
  socket.on("message", (data) => {
    const { id, method, sessionId, result, error } = JSON.parse(data);
    if (id === undefined) {
      for (const listener of listeners) listener(method, sessionId);
      return;
    }
    const { resolve, reject } = calls.get(id);
    calls.delete(id);
    if (error === undefined) resolve(result);
    else reject(new Error(error.message));
  });
  socket.on("close", () => {
    for (const { reject } of calls.values()) reject(new Error("chromium has ended"));
  });
  return {
    send(method, params = {}, sessionId = undefined) {
      last += 1;
      const id = last;
      socket.send(JSON.stringify({ id, method, params, sessionId }));
      return new Promise((resolve, reject) => calls.set(id, { resolve, reject }));
    },
    once(method, sessionId) {
      return new Promise((resolve) => {
        const listener = (...what) => {
          if (what[0] !== method || what[1] !== sessionId) return;
          listeners.delete(listener);
          resolve();
        };
        listeners.add(listener);
      });
    },
  };
}

async function openPage({ send, once }, url) {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  const { sessionId } = await send("Target.attachToTarget", { targetId, flatten: true });
  await send("Page.enable", {}, sessionId);
  const loaded = once("Page.loadEventFired", sessionId);
  await send("Page.navigate", { url }, sessionId);
  await settles(loaded, 20_000, `the page ${url}`);
  return {
    /** Calls a function of the page, `globalThis.<name>`, and resolves to what it returns or resolves to, as JSON knows it. */
    async call(name, ...args) {
      const expression = `${name}(${args.map((arg) => JSON.stringify(arg)).join()})`;
      const parameters = { expression, awaitPromise: true, returnByValue: true };
      const { result, exceptionDetails } = await send("Runtime.evaluate", parameters, sessionId);
      if (exceptionDetails === undefined) return result.value;
      throw new Error(
        `in the page: ${exceptionDetails.exception?.description ?? JSON.stringify(exceptionDetails)}`,
      );
    },
  };
}
