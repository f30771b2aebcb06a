// Larger programs as people write them, with the packed package installed: NestJS, Next, BullMQ. For make test-all.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { freePort, startRedis } from "../support/redis.js";
import { startRestEndpoint } from "../support/rest-endpoint.js";
import { ALL } from "../support/rights.js";
import { programs } from "../support/runtimes.js";
import { keysLeft } from "../support/server-state.js";
import { frameworkProjectOf } from "./support/programs.js";
import { execute } from "./support/runtimes.js";
import { installedProject } from "./support/tarball.js";

const installed = await installedProject({ after });
const redis = await startRedis({ after }, { rights: ALL });
const require = createRequire(new URL("../../frameworks/package.json", import.meta.url));

const post = async (url) => {
  const response = await fetch(url, { method: "POST" });
  return { status: response.status, ...(await response.json()) };
};

test("NestJS: a module of locks that closes its client in a shutdown hook", {
  timeout: 120_000,
}, async (t) => {
  const cwd = frameworkProjectOf(t, "nest", installed);
  const compiled = await execute([process.execPath, require.resolve("typescript/bin/tsc")], { cwd });
  assert.equal(compiled.status, 0, compiled.stdout);
  const command = programs.node24;
  const env = { REDIS_URL: redis.url };
  const app = startWorker(t, pathToFileURL(join(cwd, "dist/main.js")), {}, { cwd, command, env, more: [] });
  await until(() => app.output.length > 0, { within: 30_000 });
  const [url] = app.output;
  assert.match(url, /^http/, app.output.join("\n"));
  const pay = (id, takes, wait) => post(`${url}/invoices/${id}/payment?takes=${takes}&wait=${wait}`);

  const answers = await Promise.all(Array.from({ length: 5 }, () => pay("a", 20, 20_000)));
  assert.deepEqual(
    answers.map(({ status, overlaps }) => [status, overlaps]),
    answers.map(() => [201, 0]),
  );
  const lock = await openClient(t, redis).acquire("invoice:b");
  const refused = await pay("b", 0, 0);
  assert.deepEqual([refused.status, refused.message], [409, "LOCK_TIMEOUT"]);
  await lock.release();

  // The request that is under way is answered; the hook closes the client; nothing keeps the process.
  const last = pay("c", 300, 0);
  await until(async () => (await redis.send("EXISTS", "lock:invoice:c")) === 1);
  app.signal("SIGTERM");
  assert.equal((await last).status, 201);
  // Nest ends the process by the signal that it got.
  assert.deepEqual(await settles(app.exit, 15_000, "the application"), { code: null, signal: "SIGTERM" });
  assert.equal(app.output.at(-1), "closing on SIGTERM");
  assert.deepEqual(await keysLeft(redis, "lock:*"), []);
});

for (const bundler of ["turbopack", "webpack"]) {
  test(`Next, ${bundler}: built without its environment, then started with it`, {
    timeout: 300_000,
  }, async (t) => {
    const cwd = frameworkProjectOf(t, "next", installed);
    const next = require.resolve("next/dist/bin/next");
    const quiet = { NEXT_TELEMETRY_DISABLED: "1", CI: "true", NODE_ENV: "production" };
    const build = [process.execPath, next, "build", `--${bundler}`];
    const built = await execute(build, { cwd, env: quiet, timeout: 600_000 });
    assert.equal(built.status, 0, built.stdout + built.stderr);

    const start = async (env) => {
      const port = await freePort();
      const more = ["start", "--port", String(port), "--hostname", "127.0.0.1"];
      const server = startWorker(
        t,
        pathToFileURL(next),
        {},
        { cwd, env: { ...quiet, ...env }, more, group: true },
      );
      const url = `http://127.0.0.1:${port}`;
      const answers = () =>
        fetch(url).then(
          ({ status }) => status > 0,
          () => false,
        );
      await until(answers, { within: 60_000, what: "the server" });
      return { url, server };
    };

    const bare = await start({});
    for (const [route, option] of [
      ["pay?wait=0", "url is undefined"],
      ["edge", "fromRest: url is undefined"],
    ]) {
      const { status, name, message } = await post(`${bare.url}/${route}`);
      assert.deepEqual([status, name], [500, "TypeError"], `${route}: ${message}`);
      assert.ok(message.startsWith(`${option}; is the environment variable for it set`), message);
    }

    const rest = await startRestEndpoint(t, redis);
    const { url, server } = await start({
      REDIS_URL: redis.url,
      UPSTASH_REDIS_REST_URL: rest.url,
      UPSTASH_REDIS_REST_TOKEN: rest.token,
    });
    const paid = await Promise.all(Array.from({ length: 5 }, () => post(`${url}/pay?wait=20000`)));
    assert.ok(
      paid.every(({ status, alone }) => status === 200 && alone),
      JSON.stringify(paid),
    );
    assert.equal(new Set(paid.map(({ fence }) => fence)).size, 5);
    const edge = await post(`${url}/edge`);
    assert.deepEqual([edge.status, edge.runtime], [200, "edge-runtime"], edge.message);
    assert.match(edge.fence, /^\d{16}$/);

    const client = openClient(t, redis);
    const held = await Promise.all([client.acquire("order:next"), client.acquire("order:edge")]);
    assert.deepEqual(
      [(await post(`${url}/pay?wait=0`)).status, (await post(`${url}/edge`)).status],
      [409, 409],
    );
    for (const lock of held) await lock.release();
    server.signal("SIGTERM");
    await settles(server.exit, 20_000, "the server");
  });
}

test("BullMQ: jobs of one account one after the other, over two workers, one of which is stopped", {
  timeout: 120_000,
}, async (t) => {
  const { Queue } = require("bullmq");
  const cwd = frameworkProjectOf(t, "bullmq", installed);
  const env = { REDIS_URL: redis.url, REDIS_PORT: String(redis.port) };
  const start = () => startWorker(t, pathToFileURL(join(cwd, "worker.js")), {}, { cwd, env, more: [] });
  const workers = [start(), start()];
  for (const worker of workers) await worker.said(({ ready }) => ready, 20_000);
  const queue = new Queue("postings", { connection: { host: "127.0.0.1", port: redis.port } });
  t.after(() => queue.close());
  const jobs = Array.from({ length: 40 }, (_, at) => ({ name: "post", data: { account: at % 3 } }));
  await queue.addBulk(jobs);

  const said = () => workers.flatMap(({ messages }) => messages);
  const ended = () => said().filter((message) => message.ended);
  await until(() => ended().length >= 10, { within: 30_000 });
  workers[0].signal("SIGTERM");
  assert.deepEqual(await settles(workers[0].exit, 20_000, "the worker"), { code: 0, signal: null });
  await until(() => ended().length >= jobs.length, { within: 60_000 });
  assert.deepEqual(
    said().filter(({ failed }) => failed),
    [],
  );
  assert.equal(new Set(ended().map((message) => message.ended)).size, jobs.length, "each once");

  const began = said().filter((message) => message.began);
  for (const account of [0, 1, 2]) {
    const fences = began.filter((message) => message.account === account).map(({ fence }) => fence);
    assert.equal(new Set(fences).size, fences.length, "no two jobs have one lock");
  }
  workers[1].signal("SIGTERM");
  assert.deepEqual(await settles(workers[1].exit, 20_000, "the worker"), { code: 0, signal: null });
  assert.deepEqual(await redis.send("KEYS", "lock:account:*"), []);
});
