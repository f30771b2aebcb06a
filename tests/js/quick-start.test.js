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

const README = new URL("../../README.md", import.meta.url);

test("README.md: the quick start runs, ends by itself, and leaves no lock", async (t) => {
  const block = /^```js\n([\s\S]*?)^```$/m.exec(readFileSync(README, "utf8"))?.[1];
  assert.ok(block, "README.md has a ```js block");
  assert.match(block, /from "redlatch"/);
  assert.match(block, /process\.env\.REDIS_URL/, "the README says how to name another server");

  const folder = mkdtempSync(join(tmpdir(), "redlatch-quick-start-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(packageFolder, join(folder, "node_modules", "redlatch"), "dir");
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "reader", private: true, type: "module" }),
  );
  writeFileSync(join(folder, "quick-start.js"), block);

  const redis = await startRedis(t);
  const worker = startWorker(
    t,
    pathToFileURL(join(folder, "quick-start.js")),
    {},
    { env: { REDIS_URL: redis.url }, cwd: folder },
  );
  const exit = await settles(worker.exit, 15_000, "the quick start");
  assert.deepEqual(exit, { code: 0, signal: null }, worker.output.join("\n"));
  assert.ok(
    worker.output.some((line) => /^done under fence \d+$/.test(line)),
    worker.output.join("\n"),
  );
  assert.ok(
    worker.output.some((line) => /^ours for \d+ s$/.test(line)),
    worker.output.join("\n"),
  );
  assert.deepEqual(await redis.send("KEYS", "lock:*"), []);
  const stats = await redis.send("INFO", "commandstats");
  assert.match(stats, /cmdstat_evalsha:calls=[4-9]/, "it spoke to this server");
});
