// fromWebSocket, over the development bridge and over bridges that misbehave.
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, test } from "node:test";
import { run, tests } from "./conformance/run.js";
import { assertLockError, everythingShown } from "./support/assertions.js";
import { runBridge, startBridge, WebSocket, WebSocketServer } from "./support/bridge.js";
import { freshKey } from "./support/clients.js";
import { rejection, settles } from "./support/conditions.js";
import { startWorker } from "./support/processes.js";
import { freePort } from "./support/redis.js";
import { packageEntry } from "./support/redlatch.js";
import { programs } from "./support/runtimes.js";
import { setUp } from "./support/set-up.js";
import { startWorld } from "./support/world.js";

const redlatch = await import(packageEntry);
const { ConnectionError, createClient, fromWebSocket } = redlatch;
const { world, servers, bridge } = await setUp(after, async (scope) => {
  const { world, servers, authority } = await startWorld(scope);
  const env = { NODE_EXTRA_CA_CERTS: authority };
  const bridge = await startBridge(scope, Object.values(servers), { env });
  return { world, servers, bridge };
});
const toServer = ({ host, port }) => `${bridge.url}/${host}:${port}`;

test("the conformance tests over the bridge, with the WebSocket of ws", async (t) => {
  const transport = fromWebSocket(toServer, { WebSocket });
  for (const name of Object.keys(tests)) {
    await t.test(name, async () =>
      assert.equal(await run(name, redlatch, world, () => ({ transport })), undefined),
    );
  }
});

/** A client over `url`, with other options of fromWebSocket and createClient. */
function openClient(scope, url, options = {}, more = {}) {
  const transport = fromWebSocket(url, { WebSocket, ...options });
  // As in support/clients.js.
  const client = createClient({ transport, nodeTimeout: 2_000, ...more });
  scope.after(() => client.close({ timeout: 200 }));
  return client;
}

const failure = (client) => rejection(client.tryAcquire(freshKey()));

/** A bridge of a test's own, which does `serve(socket, request)` for each WebSocket. */
async function startOwnBridge(scope, serve) {
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
  server.on("connection", serve);
  await new Promise((resolve) => server.once("listening", resolve));
  scope.after(() => {
    for (const socket of server.clients) socket.terminate();
    server.close();
  });
  return `ws://127.0.0.1:${server.address().port}`;
}

test("without a server's URL, errors name the bridge's host", async (t) => {
  const client = openClient(t, bridge.url);
  assert.equal(await (await client.acquire(freshKey())).release(), "released");
  assert.equal(client.inspect().nodes[0].node, bridge.url.slice("ws://".length));
});

test("a bridge that is down", async (t) => {
  const host = `127.0.0.1:${await freePort()}`;
  const error = await failure(openClient(t, `ws://${host}/redis?token=s3cret-t0ken`));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    says: [new RegExp(`bridge at ${host} could not be reached`), /is it running there/],
  });
  assert.doesNotMatch(everythingShown(error), /s3cret/);
});

test("the runtime's own WebSocket, and its error for a bridge that is down", async (t) => {
  const script = new URL("workers/websocket-locker.js", import.meta.url);
  const runs = { node22: [], node24: [], deno: ["run", "--quiet", "--allow-all"], bun: ["run"] };
  const host = `127.0.0.1:${await freePort()}`;
  const given = { bridge: bridge.url, down: `ws://${host}/?token=s3cret-t0ken` };
  for (const [runtime, args] of Object.entries(runs)) {
    await t.test(runtime, async (t) => {
      const worker = startWorker(t, script, given, { command: programs[runtime], args });
      const { outcome, code, message, all } = await worker.said(() => true, 20_000);
      assert.equal(outcome, "released");
      assert.equal(code, "LOCK_CONNECTION");
      assert.match(message, new RegExp(`bridge at ${host} could not be reached`));
      assert.doesNotMatch(all, /s3cret/);
    });
  }
});

test("a URL that WebSocket does not take", async (t) => {
  const error = await failure(openClient(t, "ws://127.0.0.1:99999/?token=s3cret-t0ken"));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    says: [/cannot open a WebSocket to the bridge at 127\.0\.0\.1:99999: SyntaxError/],
  });
  assert.doesNotMatch(everythingShown(error), /s3cret/);
});

test("a bridge that never answers", async (t) => {
  const accepted = [];
  const deaf = createServer((socket) => accepted.push(socket.on("error", () => {}).resume()));
  await new Promise((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    for (const socket of accepted) socket.destroy();
    deaf.close();
  });
  const url = `ws://127.0.0.1:${deaf.address().port}`;
  const error = await failure(openClient(t, url, {}, { connectTimeout: 300 }));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/connectTimeout/] });
  const [socket] = accepted;
  if (!socket.destroyed) await settles(new Promise((resolve) => socket.once("close", resolve)));
});

test("a bridge that closes, with its reason", async (t) => {
  const url = await startOwnBridge(t, (socket) => socket.close(4001, "no such tenant"));
  const error = await failure(openClient(t, url));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    says: [/closed the connection \(code 4001: no such tenant\)/],
  });
});

/** Passes on to the real bridge, and answers through `deliver(data, socket)`. */
async function startRelay(scope, deliver) {
  const sockets = [];
  const url = await startOwnBridge(scope, (socket) => {
    sockets.push(socket);
    const far = new WebSocket(`${bridge.url}/127.0.0.1:${new URL(servers.main).port}`);
    const opened = new Promise((resolve) => far.once("open", resolve));
    socket.on("message", (data) => opened.then(() => far.send(data)));
    socket.on("close", () => far.close());
    far.on("message", (data) => deliver(data, socket));
  });
  return { url, sockets };
}

test("a bridge that breaks while a lock is held, and is there again", async (t) => {
  const { url, sockets } = await startRelay(t, (data, socket) => socket.send(data));
  const client = openClient(t, url);
  const lock = await client.acquire(freshKey(), { ttl: 5_000 });
  sockets[0].terminate();
  assert.equal(lock.held, true);
  assert.equal(await lock.release(), "released", "over a connection of its own");
  assert.equal(sockets.length, 2);
});

test("a bridge that sends text", async (t) => {
  const url = await startOwnBridge(t, (socket) => socket.on("message", () => socket.send("+OK\r\n")));
  const error = await failure(openClient(t, url));
  assertLockError(error, { type: ConnectionError, code: "LOCK_CONNECTION", says: [/text frame/] });
});

test("frames may split replies", async (t) => {
  const { url } = await startRelay(t, (data, socket) => {
    for (const byte of data) socket.send(Buffer.of(byte));
  });
  const client = openClient(t, url);
  const locks = await Promise.all(Array.from({ length: 20 }, () => client.acquire(freshKey())));
  const outcomes = await Promise.all(locks.map((lock) => lock.release()));
  assert.deepEqual(new Set(outcomes), new Set(["released"]));
});

test("subprotocols are offered", async (t) => {
  let offered;
  const url = await startOwnBridge(t, (socket, request) => {
    offered = request.headers["sec-websocket-protocol"];
    socket.close(4000, "seen");
  });
  await failure(openClient(t, url, { protocols: ["redis", "other"] }));
  assert.equal(offered, "redis,other");
});

test("arguments that are refused at once", () => {
  const refused = (call, says) =>
    assert.throws(call, (error) => error instanceof TypeError && says.test(error.message));
  const overBridge = (url, options) =>
    createClient({ transport: fromWebSocket(url, { WebSocket }), ...options });
  for (const url of ["http://127.0.0.1", "ws://", "ws://user:s3cret@host", "ws://host/#fragment", ""]) {
    assert.throws(
      () => overBridge(url),
      (error) =>
        error instanceof TypeError && /ws:\/\/host/.test(error.message) && !/s3cret/.test(error.message),
      url,
    );
    assert.throws(() => overBridge(() => url), TypeError, `a function that makes ${url}`);
  }
  refused(() => fromWebSocket(7, { WebSocket }), /bridge must be a string/);
  refused(() => fromWebSocket(bridge.url, { websocket: WebSocket }), /websocket/);
  refused(() => fromWebSocket(bridge.url, { WebSocket, protocols: [7] }), /protocols must be a string/);
  refused(() => overBridge(bridge.url, { url: "rediss://host" }), /TLS to the server is up to the bridge/);
  refused(
    () => overBridge(toServer, { url: "rediss://host", tls: { servername: "other" } }),
    /TLS to the server is up to the bridge/,
  );
  refused(() => overBridge(toServer, { url: "unix:///run/redis.sock" }), /unix socket/);
});

test("a runtime without WebSocket is told to pass one", (t) => {
  const own = Object.getOwnPropertyDescriptor(globalThis, "WebSocket");
  if (own !== undefined) {
    delete globalThis.WebSocket;
    t.after(() => Object.defineProperty(globalThis, "WebSocket", own));
  }
  assert.throws(
    () => fromWebSocket(bridge.url),
    (error) => error instanceof TypeError && /no WebSocket; pass one/.test(error.message),
  );
});

test("a password goes only to bridges that are encrypted or on this machine", () => {
  const open = (url, more) =>
    createClient({ url: "redis://:pw@db", transport: fromWebSocket(url, { WebSocket }), ...more });
  for (const host of ["127.0.0.1:1", "localhost", "[::1]:1"]) open(`ws://${host}`);
  open("wss://bridge.example/redis?token=1");
  open(({ host }) => `wss://bridge.example/${host}`);
  for (const url of ["ws://bridge.example", "ws://127.0.0.1.example/", "ws://10.0.0.1:8080"]) {
    assert.throws(() => open(url), /in plaintext/, url);
    assert.throws(() => open(() => url), /in plaintext/, url);
    open(url, { allowPlaintextAuth: true });
  }
  // Without a password there is nothing to hide; but whoever wants TLS must not be left without.
  createClient({ url: "redis://db", transport: fromWebSocket("ws://bridge.example", { WebSocket }) });
  const rediss = (scheme) =>
    createClient({
      url: "rediss://db",
      transport: fromWebSocket(() => `${scheme}://bridge.example`, { WebSocket }),
    });
  rediss("wss");
  assert.throws(() => rediss("ws"), TypeError);
});

test("bridge: --help, and arguments that are refused", async (t) => {
  const outcome = async (...args) => {
    const worker = runBridge(t, args);
    const { code } = await settles(worker.exit, 10_000);
    return { code, text: worker.output.join("\n") };
  };
  const help = await outcome("--help");
  assert.equal(help.code, 0);
  assert.match(help.text, /^Usage: .*\n[\s\S]*--origin/);
  const cases = [
    [[], /name at least one server/],
    [["127.0.0.1:6379"], /redis:\/\/HOST/],
    [["redis://:s3cret@127.0.0.1"], /without user and password/],
    [["--port", "70000", "redis://127.0.0.1"], /--port/],
    [["--sport", "1", "redis://127.0.0.1"], /--sport/],
    [["--port", new URL(bridge.url).port, "redis://127.0.0.1"], /cannot listen on 127.0.0.1:\d+: EADDRINUSE/],
  ];
  for (const [args, says] of cases) {
    const { code, text } = await outcome(...args);
    assert.equal(code, 2, text);
    assert.match(text, says);
    assert.doesNotMatch(text, /s3cret/);
  }
});

/** How the bridge answers a handshake: "open", or an HTTP status. */
function knock(path, headers = {}) {
  const socket = new WebSocket(`${bridge.url}${path}`, { headers });
  return new Promise((resolve) => {
    socket.once("open", () => {
      resolve("open");
      socket.close();
    });
    socket.once("unexpected-response", (_request, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    socket.once("error", (error) => resolve(error.message));
  });
}

test("bridge: connects to its servers only, and admits no foreign pages", async () => {
  const { port } = new URL(servers.main);
  const path = `/127.0.0.1:${port}`;
  assert.equal(await knock(path), "open");
  assert.equal(await knock("/"), "open");
  assert.equal(await knock(`${path}?token=1`), "open");
  assert.equal(await knock(`/127.0.0.1:${await freePort()}`), 404);
  assert.equal(await knock("/%"), 404);
  for (const origin of ["http://localhost:3000", "https://127.0.0.1", "http://[::1]:8080"]) {
    assert.equal(await knock(path, { origin }), "open", origin);
  }
  for (const origin of ["https://evil.example", "http://localhost.evil.example", "null"]) {
    assert.equal(await knock(path, { origin }), 403, origin);
  }
});

test("bridge: --origin admits a page", async (t) => {
  const own = await startBridge(t, [servers.main], {
    args: ["--port", "0", "--origin", "https://app.example"],
  });
  const open = (origin) => {
    const socket = new WebSocket(own.url, { origin });
    return new Promise((resolve) => {
      socket.once("open", () => resolve(true));
      socket.once("error", () => resolve(false));
    }).finally(() => socket.terminate());
  };
  assert.equal(await open("https://app.example"), true);
  assert.equal(await open("https://other.example"), false);
});

test("bridge: a server that is down is named", async (t) => {
  const { port } = new URL(servers.down);
  const error = await failure(openClient(t, toServer, {}, { url: servers.down }));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port,
    says: [new RegExp(`127.0.0.1:${port}: ECONNREFUSED`)],
  });
});

test("bridge: text is refused", async () => {
  const socket = new WebSocket(bridge.url);
  await settles(new Promise((resolve) => socket.once("open", resolve)));
  socket.send("PING\r\n");
  const code = await settles(new Promise((resolve) => socket.once("close", resolve)));
  assert.equal(code, 1003);
});

test("bridge: any number of bytes, both ways", async (t) => {
  const client = openClient(
    t,
    toServer,
    {},
    { url: servers.main, prefix: "", nodeTimeout: 30_000, wait: 30_000 },
  );
  const names = Array.from({ length: 300 }, (_, at) => `${at}`.padEnd(20_000, "x"));
  const locks = await Promise.all(names.map((name) => client.acquire(name)));
  const outcomes = await Promise.all(locks.map((lock) => lock.release()));
  assert.deepEqual(new Set(outcomes), new Set(["released"]));
});
