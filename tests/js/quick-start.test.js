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

const README = new URL("../../README.md", import.meta.url);

/** Runs a block of the README's as a program of its own; resolves to what it printed, once it has ended well. */
async function run(t, block, env = {}, runtime = {}) {
  const folder = mkdtempSync(join(tmpdir(), "redlatch-quick-start-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(packageFolder, join(folder, "node_modules", "redlatch"), "dir");
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "reader", private: true, type: "module" }),
  );
  writeFileSync(join(folder, "program.js"), block);
  const worker = startWorker(
    t,
    pathToFileURL(join(folder, "program.js")),
    {},
    { env, cwd: folder, ...runtime },
  );
  const exit = await settles(worker.exit, 15_000, "the program");
  assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
  return worker.output;
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
    assert.deepEqual(await redis.send("KEYS", "lock:*"), []);
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
