// Measures cold starts on each runtime: import, client and first lock.
import { execFile } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { startBridge } from "../../js/support/bridge.js";
import { startChromium } from "../../js/support/chromium.js";
import { resolveExport, unpack } from "../../js/support/packed.js";
import { pageSite } from "../../js/support/page.js";
import { programs } from "../../js/support/runtimes.js";
import { startSite } from "../../js/support/site.js";
import { startWorkerd } from "../../js/support/workerd.js";
import { makeTable, medianColumn } from "../measure/table.js";

const script = fileURLToPath(new URL("../workers/cold.js", import.meta.url));
const LIBRARIES = ["redlatch", "ioredis + redlock-universal"];

/** The runtimes that start as processes: the command, and the condition under which they find the package's entry. */
const RUNTIMES = {
  [`Node ${process.versions.node}`]: { command: [process.execPath], condition: "node" },
  "Node 22": { command: [programs.node22], condition: "node" },
  "Node 24": { command: [programs.node24], condition: "node" },
  Deno: { command: [programs.deno, "run", "--quiet", "--allow-all"], condition: "deno" },
  Bun: { command: [programs.bun, "run"], condition: "bun" },
};

const IN_PROCESSES = Object.keys(RUNTIMES).flatMap((runtime) =>
  LIBRARIES.map((library) => ({ name: `${runtime}: ${library}`, runtime, library, role: roleOf(library) })),
);
const WORKERD = { name: "workerd: redlatch", role: "ours" };
const CHROMIUM = { name: "Chromium, unbundled, over a bridge: redlatch", role: "ours" };
const CONTESTANTS = [...IN_PROCESSES, WORKERD, CHROMIUM];
/** --quick has no time for the other versions of Node.js. */
const contestantsOf = (size) =>
  CONTESTANTS.filter(({ runtime }) => size === "full" || !["Node 22", "Node 24"].includes(runtime));

const FIGURES = {
  made: { of: ({ made }) => made, unit: "ms" },
  locked: { of: ({ locked }) => locked, unit: "ms" },
  memory: { of: ({ memory }) => memory / 2 ** 20, unit: "MiB" },
};

const COLUMNS = [
  medianColumn("client ms", "made", 1),
  medianColumn("lock ms", "locked", 1),
  medianColumn("MiB", "memory", 1),
];

export const cold = {
  name: "cold",
  about: "from before the import to the client and to the first lock, on each runtime",
  sizes: { full: { starts: 3 }, quick: { starts: 1 } },
  samples: (rounds, size) => contestantsOf(size).length * cold.sizes[size].starts * rounds,
  secondsEach: { full: 0.6, quick: 0.9 },
  async run(bench, { starts }) {
    const { scope } = bench;
    const [{ url, port }] = await bench.servers(1);
    const packed = unpack(scope);
    const open = await openPages(scope, packed, url);
    const begin = Object.fromEntries([
      ...IN_PROCESSES.map(({ name, runtime, library }) => [
        name,
        () => startProcess(RUNTIMES[runtime], library, port, packed),
      ]),
      [WORKERD.name, () => startInWorkerd(packed, url)],
      [CHROMIUM.name, open],
    ]);
    const count = starts * bench.rounds;
    const contestants = contestantsOf(bench.size);
    const names = contestants.map(({ name }) => name);
    const results = await bench.interleave(names, (name) => begin[name](), count);
    const title = `cold starts, median of ${count}: from before the import to the client and to the first lock, and the memory by then`;
    const all = { contestants, results, figures: FIGURES, columns: COLUMNS };
    return [bench.print(makeTable({ id: "cold", title, ...all }))];
  },
};

function roleOf(library) {
  return library === "redlatch" ? "ours" : "peer";
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
