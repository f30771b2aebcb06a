// The README's quick start, run as a reader would run it: as a module of its own, beside an installed package.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { settles } from "./support/conditions.js";
import { startWorker } from "./support/processes.js";
import { startRedis } from "./support/redis.js";
import { packageFolder } from "./support/redlatch.js";
import { programs } from "./support/runtimes.js";
import { keysLeft } from "./support/server-state.js";

const README = new URL("../../README.md", import.meta.url);

/** Runs a block of the README's as a program of its own; resolves to what it printed, once it has ended well. */
async function run(t, block, env = {}, runtime = {}) {
  const worker = start(t, block, env, runtime);
  const exit = await settles(worker.exit, 15_000, "the program");
  assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
  return worker.output;
}

/** Starts a block of the README's as a program of its own. */
function start(t, block, env = {}, runtime = {}) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-quick-start-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(packageFolder, join(folder, "node_modules", "redlatch"), "dir");
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "reader", private: true, type: "module" }),
  );
  writeFileSync(join(folder, "program.js"), block);
  return startWorker(t, pathToFileURL(join(folder, "program.js")), {}, { env, cwd: folder, ...runtime });
}

const readme = readFileSync(README, "utf8");
const permissions = /--allow-net --allow-env=\w+/.exec(readme)?.[0].split(" ");
const runtimes = {
  "Node.js": {},
  "Deno, with the permissions that it names": {
    command: programs.deno,
    args: ["run", "--node-modules-dir=manual", "--no-prompt", ...permissions],
    more: [],
  },
};

for (const [name, runtime] of Object.entries(runtimes)) {
  test(`README.md: the quick start runs, ends by itself, and leaves no lock: ${name}`, async (t) => {
    const block = /^```js\n([\s\S]*?)^```$/m.exec(readme)?.[1];
    assert.ok(block, "README.md has a ```js block");
    assert.match(block, /from "redlatch"/);
    assert.match(block, /process\.env\.REDIS_URL/, "the README says how to name another server");

    const redis = await startRedis(t);
    const output = await run(t, block, { REDIS_URL: redis.url }, runtime);
    for (const pattern of [/^done under fence \d+$/, /^ours for \d+ s$/]) {
      assert.ok(
        output.some((line) => pattern.test(line)),
        output.join("\n"),
      );
    }
    assert.deepEqual(await keysLeft(redis), []);
    const stats = await redis.send("INFO", "commandstats");
    assert.match(stats, /cmdstat_evalsha:calls=[4-9]/, "it spoke to this server");
  });
}

test("README.md: the example with a server in memory runs, and ends by itself", async (t) => {
  const blocks = readme.matchAll(/^```js\n([\s\S]*?)^```$/gm);
  const block = [...blocks].map(([, text]) => text).find((text) => text.includes('"redlatch/memory"'));
  assert.ok(block, "README.md has an example of redlatch/memory");
  const output = await run(t, block);
  assert.ok(output.join(" ").includes("'lock:invoice:42'"), output.join("\n"));
});

/** The README's block that contains a text. */
function blockWith(text) {
  const block = [...readme.matchAll(/^```js\n([\s\S]*?)^```$/gm)]
    .map(([, each]) => each)
    .find((each) => each.includes(text));
  assert.ok(block, `README.md has an example of ${text}`);
  return block;
}

const CLIENT = `import { createClient } from "redlatch";
const locks = createClient({ url: process.env.REDIS_URL, ttl: 1_000 });
`;

test("README.md: the handler of SIGTERM lets a body end, frees its lock and exits", async (t) => {
  const redis = await startRedis(t);
  const program = `${CLIENT}${blockWith("SIGTERM")}
setInterval(() => {}, 1_000); // as a server that listens
await locks.using("job", async ({ signal }) => {
  console.log("{}");
  await new Promise((resolve) => signal.addEventListener("abort", resolve));
  console.log("the body has ended");
});`;
  const worker = start(t, program, { REDIS_URL: redis.url });
  await worker.said(() => true);
  worker.signal("SIGTERM");
  assert.deepEqual(await settles(worker.exit, 10_000, "the program"), { code: 0, signal: null });
  assert.deepEqual(worker.output, ["the body has ended"]);
  assert.equal(await redis.send("EXISTS", "lock:job"), 0);
});

test("README.md: a body that passes its signal on learns of the loss as it says", async (t) => {
  const redis = await startRedis(t);
  const program = `${CLIENT}import { setTimeout as pause } from "node:timers/promises";
const parts = ["a", "b"];
let begun = 0;
// A service that never answers, and aborts as the real fetch does.
const fetch = (_, { signal }) => {
  begun += 1;
  console.log(JSON.stringify({ begun }));
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
};
const body = async () => {
${blockWith("throwIfAborted")}
};
const failure = await body().catch((error) => error);
const other = await locks.using("timer", { maxHold: 100 }, ({ signal }) => pause(60_000, undefined, { signal })).catch((error) => error);
console.log(failure.name, begun, other.name, other.cause.name);
await locks.close();`;
  const worker = start(t, program, { REDIS_URL: redis.url });
  await worker.said(({ begun }) => begun === 1);
  // Somebody takes the lock away; the next renewal notices.
  await redis.send("SET", "lock:report", "another", "PX", 60_000);
  assert.deepEqual(await settles(worker.exit, 15_000, "the program"), { code: 0, signal: null });
  assert.deepEqual(worker.output, ["LockLostError 1 AbortError LockLostError"]);
});
