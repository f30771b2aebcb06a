// Measures cold starts on each runtime: import, client and first lock.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startBridge } from "../js/support/bridge.js";
import { startChromium } from "../js/support/chromium.js";
import { resolveExport, unpack } from "../js/support/packed.js";
import { pageSite } from "../js/support/page.js";
import { programs } from "../js/support/runtimes.js";
import { startSite } from "../js/support/site.js";
import { startWorkerd } from "../js/support/workerd.js";
import { median, printTable } from "./table.js";

const script = fileURLToPath(new URL("cold.js", import.meta.url));
const LIBRARIES = ["redlatch", "ioredis + redlock-universal"];

/** The runtimes that start as processes: the command, and the condition under which they find the package's entry. */
const RUNTIMES = {
  [`Node ${process.versions.node}`]: { command: [process.execPath], condition: "node" },
  "Node 22": { command: [programs.node22], condition: "node" },
  "Node 24": { command: [programs.node24], condition: "node" },
  Deno: { command: [programs.deno, "run", "--quiet", "--allow-all"], condition: "deno" },
  Bun: { command: [programs.bun, "run"], condition: "bun" },
};

/** Prints the table. `starts` of each; servers, workerd and Chromium end with `scope`. */
export async function coldStarts(scope, { url, port }, starts) {
  const packed = unpack(scope);
  const contests = Object.entries(RUNTIMES).flatMap(([runtime, how]) =>
    LIBRARIES.map((library) => ({
      runtime,
      library,
      start: () => startProcess(how, library, port, packed),
    })),
  );
  const library = "redlatch";
  contests.push({ runtime: "workerd", library, start: () => startInWorkerd(packed, url) });
  const open = await openPages(scope, packed, url);
  contests.push({ runtime: "Chromium, unbundled, over a bridge", library, start: open });

  const results = contests.map(() => []);
  for (let round = 0; round < starts; round += 1) {
    for (const [index, { start }] of contests.entries()) {
      results[index].push(await start());
      process.stderr.write(".");
    }
  }
  process.stderr.write("\n");
  const rows = contests.map((contest, index) => {
    const middle = (figure, unit = 1) => {
      const values = results[index].map((result) => result[figure]);
      return values.some((value) => value === undefined) ? "" : (median(values) / unit).toFixed(1);
    };
    return [
      `${contest.runtime}: ${contest.library}`,
      middle("made"),
      middle("locked"),
      middle("memory", 2 ** 20),
    ];
  });
  printTable(
    `cold starts, median of ${starts}: from before the import to the client and to the first lock, and the memory by then`,
    ["", "client ms", "lock ms", "MiB"],
    rows,
  );
}

async function startProcess({ command: [program, ...args], condition }, library, port, packed) {
  const entry = pathToFileURL(join(packed, resolveExport(packed, "redlatch", [condition]))).href;
  const { stdout } = await promisify(execFile)(program, [...args, script, library, String(port), entry]);
  return JSON.parse(stdout);
}

/** workerd's clock stands still while it computes, so it is timed from outside, minus the same request once all is loaded. */
async function startInWorkerd(packed, url) {
  const cleanUps = [];
  try {
    const workerd = await startWorkerd({ after: (cleanUp) => cleanUps.unshift(cleanUp) }, "cold-worker.js", {
      packed,
      bindings: { REDIS_URL: url },
    });
    const ask = async (path) => {
      const start = performance.now();
      await workerd.ask(path);
      return performance.now() - start;
    };
    await ask("/nothing");
    const nothing = await ask("/nothing");
    const made = await ask("/client");
    return { made: made - nothing, locked: made - nothing + (await ask("/lock")) - nothing };
  } finally {
    for (const cleanUp of cleanUps) await cleanUp();
  }
}

/** Each in its own page. What Chromium has cached of the files since the first page makes it faster, as on a second visit. */
async function openPages(scope, packed, url) {
  const site = await startSite(scope, pageSite(packed, "cold.js"));
  const bridge = await startBridge(scope, [url]);
  const chromium = await startChromium(scope);
  return async () => (await chromium.open(site.url)).call("cold", bridge.url);
}
