// The examples that the package ships, run as it ships them.
import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { startAppRedis } from "./support/client-contract.js";
import { openClient } from "./support/clients.js";
import { until } from "./support/conditions.js";
import { unpack } from "./support/packed.js";
import { startWorker } from "./support/processes.js";
import { startRestEndpoint } from "./support/rest-endpoint.js";
import { programs } from "./support/runtimes.js";
import { startWorkerd } from "./support/workerd.js";

const redis = await startAppRedis({ after });
const packed = unpack({ after });

/** A program's folder, in which the package and ioredis are installed: the examples' own, as far as they can tell. */
const program = mkdtempSync(join(tmpdir(), "redlatch-examples-"));
after(() => rmSync(program, { recursive: true, force: true }));
mkdirSync(join(program, "node_modules"));
symlinkSync(packed, join(program, "node_modules/redlatch"));
const ioredis = createRequire(new URL("../clients/package.json", import.meta.url)).resolve(
  "ioredis6/package.json",
);
symlinkSync(dirname(ioredis), join(program, "node_modules/ioredis"));
writeFileSync(join(program, "package.json"), '{ "dependencies": { "redlatch": "*", "ioredis": "*" } }');
cpSync(join(packed, "examples"), join(program, "examples"), { recursive: true });
const example = (name) => pathToFileURL(join(program, "examples", name));

/** A service that is asked under a lock: it refuses old fences, and notices two at once. */
async function startService(t) {
  const service = { overlaps: 0, fences: [], delay: 0, aborted: 0 };
  let inside = 0;
  const server = createServer(async (request, response) => {
    inside += 1;
    if (inside > 1) service.overlaps += 1;
    request.setEncoding("utf8");
    let body = "";
    for await (const chunk of request) body += chunk;
    const fence = BigInt(JSON.parse(body).fence);
    for (const end = performance.now() + service.delay; performance.now() < end && !response.destroyed; ) {
      await pause(5);
    }
    if (response.destroyed) service.aborted += 1;
    const old = service.fences.some((seen) => seen > fence);
    if (!old) service.fences.push(fence);
    inside -= 1;
    response.writeHead(old ? 412 : 201).end();
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return Object.assign(service, { url: `http://127.0.0.1:${server.address().port}` });
}

test("worker.mjs, in workerd", { timeout: 60_000 }, async (t) => {
  const service = await startService(t);
  const bindings = { REDIS_URL: redis.url, BOOKINGS_URL: service.url };
  const worker = await startWorkerd(t, example("worker.mjs"), { bindings, packed });
  service.delay = 20;
  // One after the other, and none may wait for more than 2 s.
  const answers = await Promise.all(Array.from({ length: 3 }, () => fetch(new URL("?seat=7A", worker.url))));
  for (const answer of answers) {
    assert.equal(answer.status, 201);
    assert.equal((await answer.json()).seat, "7A");
  }
  assert.equal(service.overlaps, 0);
  assert.equal(service.fences.length, 3);
  await until(async () => (await redis.send("EXISTS", "lock:seat:7A")) === 0);

  const lock = await openClient(t, redis).acquire("seat:7A");
  const busy = await fetch(new URL("?seat=7A", worker.url));
  assert.equal(busy.status, 409);
  assert.equal(busy.headers.get("retry-after"), "1");
  await lock.release();
  // Its connections have ended with its requests; one is ours.
  await until(async () => (await redis.send("CLIENT", "LIST")).split("name=redlatch").length - 1 === 1);
});

test("route-handler.mjs, over REST", async (t) => {
  const [service, endpoint] = [await startService(t), await startRestEndpoint(t, redis)];
  Object.assign(process.env, {
    UPSTASH_REDIS_REST_URL: endpoint.url,
    UPSTASH_REDIS_REST_TOKEN: endpoint.token,
    PAYMENTS_URL: service.url,
  });
  const { POST } = await import(example("route-handler.mjs").href);
  const post = (signal) =>
    POST(new Request("http://app.example/orders", { method: "POST", body: '{ "order": 9 }', signal }));
  // The others have to try meanwhile.
  service.delay = 1_000;
  const answers = await Promise.all([post(), post(), post()]);
  assert.deepEqual(answers.map(({ status }) => status).sort(), [201, 409, 409]);
  service.delay = 0;
  assert.equal((await post()).status, 201);
  assert.equal(service.overlaps, 0);
  assert.equal(await redis.send("EXISTS", "lock:order:9"), 0);

  // Whoever asked has gone: the payment is given up, and the lock released.
  const gone = new AbortController();
  service.delay = 10_000;
  const given = post(gone.signal);
  await until(async () => (await redis.send("EXISTS", "lock:order:9")) === 1);
  gone.abort();
  await assert.rejects(given, { name: "AbortError" });
  assert.equal(await redis.send("EXISTS", "lock:order:9"), 0);
});

test("deno-report.js, in Deno", { timeout: 60_000 }, async (t) => {
  const start = () =>
    startWorker(t, example("deno-report.js"), undefined, {
      command: programs.deno,
      args: ["run", "--node-modules-dir=manual", "--no-prompt", "--allow-net", "--allow-env=REDIS_URL"],
      env: { REDIS_URL: redis.url },
      more: [],
      cwd: program,
    });
  const parts = ["orders reported", "customers reported", "stock reported"];
  const refused = "another machine is making the report, or has made it";
  const first = start();
  // The other machine's clock is behind by that much.
  await pause(600);
  const second = start();
  assert.deepEqual(await Promise.all([first.exit, second.exit]), Array(2).fill({ code: 0, signal: null }));
  assert.deepEqual([first.output, second.output].sort(), [[refused], parts], "the report is made once");
  const third = start();
  assert.equal((await third.exit).code, 0);
  assert.deepEqual(third.output, [refused], "the first has ended long ago");
  assert.ok((await redis.send("PTTL", "lock:report:nightly")) > 500_000, "until its lease ends");

  // Lost in the middle, unless the report was quicker than we are.
  let unlucky;
  let taken = null;
  for (let tries = 0; taken === null && tries < 5; tries += 1) {
    await redis.send("DEL", "lock:report:nightly");
    unlucky = start();
    await until(() => unlucky.output.includes(parts[0]), { within: 20_000 });
    if (!unlucky.output.includes(parts[2]))
      taken = await redis.send("SET", "lock:report:nightly", "somebody else's", "PX", 60_000);
    await unlucky.exit;
  }
  assert.equal(taken, "OK", "it was in the middle");
  assert.equal((await unlucky.exit).code, 1);
  assert.match(unlucky.output.join("\n"), /the lock is lost/);
  assert.equal(await redis.send("GET", "lock:report:nightly"), "somebody else's");
});

test("ioredis-job.mjs, in ten processes at once", { timeout: 60_000 }, async (t) => {
  const REDIS_URL = `redis://app:pw@127.0.0.1:${redis.port}`;
  const jobs = Array.from({ length: 10 }, () =>
    startWorker(t, example("ioredis-job.mjs"), undefined, {
      env: { REDIS_URL },
      more: ["7"],
    }),
  );
  for (const job of jobs) assert.equal((await job.exit).code, 0, job.output.join("\n"));
  assert.equal(await redis.send("HGET", "balance:7", "value"), "10");
  const seen = jobs.flatMap(({ output }) => output).sort();
  assert.deepEqual(seen, Array.from({ length: 10 }, (_, at) => `account 7: ${at + 1}`).sort());

  // A holder from the past is refused by the fence.
  await redis.send("HSET", "balance:7", "fence", String(2n ** 53n));
  const late = startWorker(t, example("ioredis-job.mjs"), undefined, {
    env: { REDIS_URL },
    more: ["7"],
  });
  assert.equal((await late.exit).code, 1);
  assert.match(late.output.join("\n"), /a newer holder has been here already/);
  assert.equal(await redis.send("HGET", "balance:7", "value"), "10");
});

test("fenced-sql.mjs, in four processes at once, and with one that is stopped for longer than its lease", {
  timeout: 60_000,
}, async (t) => {
  const env = { REDIS_URL: redis.url, DATABASE: join(program, "accounts.db") };
  const start = (amount, takes = "20") =>
    startWorker(t, example("fenced-sql.mjs"), undefined, {
      command: programs.node24,
      env,
      more: ["7", amount, takes],
    });
  // Four: the lease of a second has to last while one of them waits for processor and disk.
  const jobs = Array.from({ length: 4 }, () => start("1"));
  for (const job of jobs) assert.equal((await job.exit).code, 0, job.output.join("\n"));
  const saved = jobs.flatMap(({ output }) => output.filter((line) => line.startsWith("saved")));
  assert.deepEqual(saved.sort(), ["saved 1", "saved 2", "saved 3", "saved 4"]);

  // It wakes up when another has read and not yet written: what it knows is old, and its write must not count.
  const first = start("1000", "1500");
  await until(() => first.output.includes("claimed at 4"), { within: 20_000 });
  first.signal("SIGSTOP");
  const second = start("1", "3000");
  await until(() => second.output.includes("claimed at 4"), { within: 20_000 });
  first.signal("SIGCONT");
  assert.equal((await first.exit).code, 1, first.output.join("\n"));
  assert.equal(first.output.at(-1), "a newer holder has this account");
  assert.equal((await second.exit).code, 0, second.output.join("\n"));
  assert.equal(second.output.at(-1), "saved 5");
});
