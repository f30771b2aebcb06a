// A contest of runtimes: Node.js, Deno, Bun, workerd and Chromium, each with the packed package, around one counter in Redis.
import { startBridge } from "./bridge.js";
import { startChromium } from "./chromium.js";
import { unpack } from "./packed.js";
import { pageSite } from "./page.js";
import { startWorker } from "./processes.js";
import { programs } from "./runtimes.js";
import { startSite } from "./site.js";
import { startWorkerd } from "./workerd.js";

const SCRIPT = new URL("../workers/contestant.js", import.meta.url);
const COUNTER = "contest counter";

/**
 * Starts the runtimes and lets them contend on `redis`: `races` of { name, locked }, one after the other, with `rounds` increments by each
 * runtime. Returns { names, results, done }: of the runtimes; by race, { value: the counter's at the end, writes: one
 * { contestant, fence } after the other }, which grow as it goes; and a promise of the end.
 */
export async function startContest(scope, redis, { rounds, races }) {
  const packed = unpack(scope);
  const results = new Map(races.map(({ name }) => [name, { value: 0, writes: [] }]));
  const barrier = barrierFor(async (race) => {
    results.get(race).value = 0;
    await redis.send("SET", COUNTER, 0);
  });
  const page = pageSite(packed, "contest.js");
  const site = await startSite(scope, {
    folders: page.folders,
    routes: {
      ...page.routes,
      "/arrive": json(({ race }) => barrier.arrive(race)),
      "/read": json(async () => ({ value: Number(await redis.send("GET", COUNTER)) })),
      "/write": json(async ({ race, contestant, value, fence }) => {
        await redis.send("SET", COUNTER, value);
        const result = results.get(race);
        result.value = value;
        result.writes.push({ contestant, fence });
        return {};
      }),
    },
  });
  const contestants = await startContestants(scope, redis, site.url, packed);
  const names = Object.keys(contestants);
  barrier.expect(names.length);
  const input = { arena: site.url, url: redis.url, rounds, races };
  const done = Promise.all(names.map((name) => contestants[name]({ ...input, name })));
  // Only those who await it need to learn of a failure.
  done.catch(() => {});
  return { names, results, done };
}

/** By name: functions that let the runtime contend, and promise its end. */
async function startContestants(scope, redis, url, packed) {
  const [workerd, page, bridge] = await Promise.all([
    startWorkerd(scope, "contest-worker.js", { imports: ["contest/contend.js"], packed }),
    startChromium(scope).then(({ open }) => open(url)),
    startBridge(scope, [redis.url]),
  ]);
  const byProcess =
    (command, ...args) =>
    async (input) => {
      const worker = startWorker(scope, SCRIPT, input, { command, args });
      await worker.said((message) => message.done, 60_000);
    };
  return {
    "Node.js": byProcess(process.execPath),
    Deno: byProcess(programs.deno, "run", "--quiet", "--allow-all"),
    Bun: byProcess(programs.bun, "run"),
    workerd: (input) => workerd.ask(`/?given=${encodeURIComponent(JSON.stringify(input))}`),
    Chromium: (input) => page.call("contend", input, bridge.url),
  };
}

/** Nobody goes on before all have arrived; then `prepare(race)` is done once. */
function barrierFor(prepare) {
  let wanted = Number.POSITIVE_INFINITY;
  let arrived = 0;
  let waiting = [];
  return {
    expect(count) {
      wanted = count;
    },
    async arrive(race) {
      arrived += 1;
      if (arrived < wanted) return new Promise((resolve) => waiting.push(resolve));
      await prepare(race);
      for (const go of waiting) go({});
      waiting = [];
      arrived = 0;
      return {};
    },
  };
}

const json = (answer) => async (body) => ({
  type: "application/json",
  body: JSON.stringify(await answer(JSON.parse(body))),
});
