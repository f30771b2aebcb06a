// Locks over a REST endpoint, in front of a real server.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertLockError, everythingShown } from "./support/assertions.js";
import { startAppRedis } from "./support/client-contract.js";
import { freshKey, openClient } from "./support/clients.js";
import { rejection, settles, until } from "./support/conditions.js";
import { load } from "./support/other-clients.js";
import { ConnectionError, createClient, fromCommand, fromRest, ServerError } from "./support/redlatch.js";
import { startRestEndpoint } from "./support/rest-endpoint.js";
import { loadScripts, tokenOf } from "./support/server-state.js";

const redis = await startAppRedis({ after });
const QUICK = { retry: { min: 5, max: 20 }, nodeTimeout: 2_000 };
const TOKEN = "canary-token-0815";

async function start(t, options = {}, rest = {}) {
  const endpoint = await startRestEndpoint(t, redis);
  const transport = fromRest({ url: endpoint.url, token: endpoint.token, ...rest });
  return { endpoint, client: openClient(t, undefined, { transport, ...QUICK, ...options }) };
}

/** The error of one attempt, with the owner's token and the endpoint's in play. */
async function failure(client, endpoint) {
  const error = await rejection(client.tryAcquire(freshKey(), { token: TOKEN }));
  assert.doesNotMatch(everythingShown(error), /canary|rest-token/);
  if (endpoint !== undefined) assert.equal(error.node, `127.0.0.1:${endpoint.port}`);
  return error;
}

test("a lock's whole life: one request for each step, and one for all commands of one tick", async (t) => {
  const { endpoint, client } = await start(t);
  await loadScripts(redis);
  for (const fair of [false, true]) {
    const key = freshKey();
    await (await client.acquire(freshKey(), { fair })).release();
    const before = endpoint.requests;
    const lock = await client.acquire([key, `${key}-2`], { fair, token: TOKEN, ttl: 20_000 });
    assert.ok(lock.fence > 0n);
    assert.equal(await tokenOf(redis, key), TOKEN);
    await lock.extend(40_000);
    assert.equal(await lock.verify(), true);
    assert.equal(await client.tryAcquire(key, { fair }), null);
    assert.equal(await lock.release(), "released");
    assert.equal(endpoint.requests - before, 5);
  }
  const before = endpoint.requests;
  const locks = await Promise.all(Array.from({ length: 50 }, () => client.acquire(freshKey())));
  assert.equal(endpoint.requests - before, 1);
  await Promise.all(locks.map((lock) => lock.release()));
  assert.equal(client.inspect().nodes[0].wakes, false);
});

test("two clients over REST, one over TCP: they exclude each other, and wait for each other", async (t) => {
  const clients = [(await start(t)).client, (await start(t)).client, openClient(t, redis, QUICK)];
  const key = freshKey();
  for (const fair of [false, true]) {
    let inside = 0;
    let rounds = 0;
    const work = async (client) => {
      for (let round = 0; round < 10; round += 1) {
        const lock = await client.acquire(key, { fair });
        inside += 1;
        assert.equal(inside, 1);
        await pause(1);
        inside -= 1;
        rounds += 1;
        assert.equal(await lock.release(), "released");
      }
    };
    await settles(Promise.all(clients.map(work)), 20_000, "thirty rounds");
    assert.equal(rounds, 30);
  }
});

test("a release waits for its acquire, which is still under way", async (t) => {
  const { endpoint, client } = await start(t, { nodeTimeout: 5_000 });
  for (const fair of [false, true]) {
    await (await client.acquire(freshKey(), { fair })).release();
    const key = freshKey();
    const before = endpoint.requests;
    let open;
    endpoint.before = () => new Promise((resolve) => (open = resolve));
    const aborting = new AbortController();
    const given = rejection(client.acquire(key, { fair, signal: aborting.signal }));
    await until(() => open);
    endpoint.before = async () => {};
    aborting.abort();
    assert.equal((await given).name, "AbortError");
    // Other keys are acquired meanwhile; by then, a release that does not wait would be under way too.
    const other = freshKey();
    const later = client.acquire(other, { fair });
    await until(async () => (await redis.send("EXISTS", `lock:${other}`)) === 1);
    assert.equal(endpoint.requests - before, 2);
    open();
    await (await later).release();
    await until(() => client.inspect().releasing === 0, { what: "the end of the clean-up" });
    assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "an orphan");
  }
});

test("nothing is left, however long requests take and whatever is given up", async (t) => {
  const { endpoint, client } = await start(t, { nodeTimeout: 2_000 });
  endpoint.before = () => pause(Math.random() * 30);
  endpoint.after = () => pause(Math.random() * 30);
  const keys = Array.from({ length: 12 }, () => freshKey());
  const work = async (key) => {
    for (let round = 0; round < 6; round += 1) {
      // Given up at any moment: the clean-up is sent behind an acquire that is still under way.
      const signal = AbortSignal.timeout(Math.ceil(Math.random() * 40));
      const lock = await client.acquire(key, { signal, wait: 5_000 }).catch(() => null);
      if (lock !== null) assert.equal(await lock.release(), "released");
    }
  };
  await settles(Promise.all(keys.map(work)), 25_000, "the work");
  await until(() => client.inspect().releasing === 0, { within: 20_000, what: "the end of the clean-up" });
  for (const key of keys) assert.equal(await redis.send("EXISTS", `lock:${key}`), 0, "an orphan");
  assert.ok(endpoint.most <= 4, `${endpoint.most} requests at once`);
});

test("a server that has forgotten the scripts", async (t) => {
  const { client } = await start(t);
  await redis.send("SCRIPT", "FLUSH");
  const locks = await Promise.all(Array.from({ length: 9 }, () => client.acquire(freshKey())));
  await redis.send("SCRIPT", "FLUSH");
  for (const lock of locks) assert.equal(await lock.release(), "released");
});

test("keys of every shape: those that JSON cannot carry fail, without the others", async (t) => {
  const { client } = await start(t);
  const ours = openClient(t, redis);
  for (const name of ["a\0b", "\r\n", "🔒", "{🔒}", "\ufeffa", '"\\', "\u2028", "x".repeat(65_536)]) {
    const lock = await client.tryAcquire(name);
    assert.equal(await ours.tryAcquire(name), null, JSON.stringify(name).slice(0, 20));
    assert.equal(await lock.release(), "released");
  }
  const [odd, fine] = await Promise.allSettled([client.tryAcquire("\ud800"), client.tryAcquire("fine")]);
  assertLockError(odd.reason, { type: ServerError, code: "LOCK_SERVER", prefix: "ERR", says: [/Unicode/] });
  assert.equal(await fine.value.release(), "released");
});

test("errors of the server behind the endpoint", async (t) => {
  const { endpoint, client } = await start(t);
  const key = freshKey();
  await redis.send("RPUSH", `lock:${key}`, "not a lock");
  const error = await rejection(client.tryAcquire(key, { token: TOKEN }));
  assertLockError(error, {
    type: ServerError,
    code: "LOCK_SERVER",
    prefix: "WRONGTYPE",
    port: endpoint.port,
  });
  assert.doesNotMatch(everythingShown(error), /canary/);
  await redis.send("REPLICAOF", "127.0.0.1", "1");
  t.after(() => redis.send("REPLICAOF", "NO", "ONE"));
  assert.equal((await failure(client, endpoint)).prefix, "READONLY");
});

test("a wrong token", async (t) => {
  const { endpoint, client } = await start(t, {}, { token: "canary-wrong" });
  // It will not get better: rejection() waits for less than 30 s.
  const error = await rejection(client.acquire(freshKey(), { wait: 30_000 }));
  assertLockError(error, {
    type: ServerError,
    code: "LOCK_SERVER",
    prefix: "WRONGPASS",
    port: endpoint.port,
    says: [/token was rejected/, /check fromRest's token and url/],
  });
  assert.doesNotMatch(everythingShown(error), /canary/);
});

const html =
  (status, headers = {}) =>
  (_body, response) => {
    response.writeHead(status, { "content-type": "text/html", ...headers });
    response.end("<html><h1>canary</h1></html>");
    return true;
  };

for (const [what, interfere, says] of [
  ["a page that is not there", html(404), /HTTP 404 \(no JSON\); check fromRest's url/],
  ["a fault of its own", html(500), /HTTP 500/],
  ["a web page", html(200), /HTTP 200 \(no JSON\); check fromRest's url/],
  ["a redirection", html(302, { location: "http://127.0.0.1:1/" }), /redirects \(HTTP 302\)/],
  [
    "half an answer",
    (_body, response) => response.socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{"),
    /HTTP 200|terminated/,
  ],
  [
    "a closed door",
    (_body, response) => response.destroy() ?? true,
    /fetch failed: (other side closed|read ECONNRESET)/,
  ],
]) {
  test(`an endpoint that answers with ${what}`, async (t) => {
    const { endpoint, client } = await start(t);
    endpoint.interfere = interfere;
    const error = await failure(client, endpoint);
    assertLockError(error, {
      type: ConnectionError,
      code: "LOCK_CONNECTION",
      port: endpoint.port,
      says: [says],
    });
    endpoint.interfere = () => false;
    const lock = await client.acquire(freshKey(), { wait: 5_000 });
    assert.equal(await lock.release(), "released", "it is well again");
  });
}

test("a request that the endpoint refuses as one too many is repeated", async (t) => {
  const { endpoint, client } = await start(t);
  endpoint.interfere = html(429);
  assert.equal((await failure(client, endpoint)).prefix, "TRYAGAIN");
  const waiting = client.acquire(freshKey(), { wait: 10_000 });
  await until(() => endpoint.requests > 5);
  endpoint.interfere = () => false;
  assert.equal(await (await waiting).release(), "released");
});

test("an endpoint that is down, and comes back", async (t) => {
  const { endpoint, client } = await start(t);
  const lock = await client.acquire(freshKey(), { ttl: 500, renew: true });
  await endpoint.stop();
  const error = await failure(client, endpoint);
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port: endpoint.port,
    says: [/ECONNREFUSED/],
  });
  await until(() => lock.signal.aborted);
  assert.equal(await settles(lock.release()), "expired");
  await endpoint.start();
  assert.equal(await (await client.acquire(freshKey(), { wait: 10_000 })).release(), "released");
});

test("an endpoint that is slow: the attempt ends in time, and what it may have taken is released", async (t) => {
  const { endpoint, client } = await start(t, { nodeTimeout: 1_000 });
  await (await client.acquire(freshKey())).release();
  const key = freshKey();
  let open;
  endpoint.after = () => new Promise((resolve) => (open = resolve));
  const given = rejection(client.tryAcquire(key), 4_000);
  await until(async () => open && (await redis.send("EXISTS", `lock:${key}`)) === 1, { what: "the grant" });
  const error = await given;
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/answer/] });
  endpoint.after = async () => {};
  open();
  await until(async () => (await redis.send("EXISTS", `lock:${key}`)) === 0, { what: "the clean-up" });
});

test("a token is sent in plaintext to this machine only, unless that is allowed", () => {
  const make = (url, more) => createClient({ transport: fromRest({ url, token: "canary" }), ...more });
  for (const url of ["http://127.0.0.1:1", "http://localhost", "HTTP://[::1]:8", "https://db.example"])
    make(url);
  for (const url of [
    "http://db.example",
    "http://10.0.0.1:8079",
    "http://localhost.example",
    "http://[::2]",
  ]) {
    assert.throws(
      () => make(url),
      (error) =>
        error instanceof TypeError && /https:\/\//.test(error.message) && !/canary/.test(error.message),
      url,
    );
    make(url, { allowPlaintextAuth: true });
  }
});

async function startUpstash(t, options) {
  const { Redis } = await load("@upstash/redis");
  const endpoint = await startRestEndpoint(t, redis);
  return new Redis({ url: endpoint.url, token: endpoint.token, enableTelemetry: false, ...options });
}

test("Upstash's own client, as documented", async (t) => {
  const upstash = await startUpstash(t, { automaticDeserialization: false, retry: false });
  for (const send of [
    (args) => upstash.exec(args),
    // These go in pipelines of its own making.
    ([name, script, count, ...args]) =>
      upstash[name.toLowerCase()](script, args.slice(0, count), args.slice(count)),
  ]) {
    const client = openClient(t, undefined, { transport: fromCommand(send), ...QUICK });
    await redis.send("SCRIPT", "FLUSH");
    const key = freshKey();
    const lock = await client.acquire(key, { token: TOKEN });
    assert.equal(await openClient(t, redis).tryAcquire(key), null);
    assert.equal(await lock.release(), "released");
    await redis.send("RPUSH", `lock:${key}`, "not a lock");
    const error = await rejection(client.tryAcquire(key, { token: `${TOKEN} 2` }));
    assert.equal(error.prefix, "WRONGTYPE");
    assert.doesNotMatch(everythingShown(error), /canary/);
  }
});

test("Upstash's own client with its defaults turns strings into numbers where it can, and no reply is one", async (t) => {
  const upstash = await startUpstash(t);
  const client = openClient(t, undefined, { transport: fromCommand((args) => upstash.exec(args)), ...QUICK });
  for (const fair of [false, true]) {
    const key = freshKey();
    const lock = await client.acquire(key, { fair, token: "17" });
    assert.equal(typeof lock.fence, "bigint");
    assert.equal(await client.tryAcquire(key, { fair }), null);
    await lock.extend();
    assert.equal(await lock.verify(), true);
    assert.equal(await lock.release(), "released");
  }
});
