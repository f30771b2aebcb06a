// redlatch/memory: locks without a server process, between clients of one program, on clocks that the test steers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createMemoryServer } from "redlatch/memory";
import { openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { ConnectionError, LockLostError, LockTimeoutError } from "../support/redlatch.js";
import { queueOf } from "../support/server-state.js";
import { steeredClock } from "../support/steered-clock.js";

/** These never poll within a test. */
const RARELY = { retry: { min: 20_000, max: 40_000 }, wait: 60_000 };
const names = (server) => server.keys().map(({ key }) => key);
const open = (t, { transport }, options = {}) => openClient(t, undefined, { transport, ...options });
const text = (bytes) => new TextDecoder().decode(bytes);
const bytes = (string) => new TextEncoder().encode(string);

test("a lock is a key on the server, and gone with the release", async (t) => {
  const server = createMemoryServer();
  const lock = await open(t, server).acquire("job", { ttl: 5_000 });
  const entry = server.keys().find(({ key }) => key === "lock:job");
  assert.equal(entry.value, lock.token);
  assert.equal(entry.database, 0);
  const left = entry.expiry - Date.now();
  assert.ok(left > 3_000 && left <= 5_000, `${left} ms left`);
  assert.equal(lock.held, true);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  assert.ok(!names(server).includes("lock:job"));
});

test("two clients of one server exclude each other, and those of another server do not", async (t) => {
  const server = createMemoryServer();
  const [one, other] = [open(t, server), open(t, server)];
  const lock = await one.acquire("job");
  assert.equal(await other.tryAcquire("job"), null);
  assert.ok((await rejection(other.acquire("job", { wait: 0 }))) instanceof LockTimeoutError);
  assert.notEqual(await open(t, createMemoryServer()).tryAcquire("job"), null);
  await lock.release();
  const next = await other.tryAcquire("job");
  assert.ok(next.fence > lock.fence);
});

for (const fair of [false, true]) {
  test(`the release wakes the waiter of another client (fair: ${fair})`, async (t) => {
    const server = createMemoryServer();
    const lock = await open(t, server).acquire("job", { fair });
    const client = open(t, server, RARELY);
    let granted = false;
    const waiting = client.acquire("job", { fair });
    waiting.then(() => (granted = true));
    await until(() => client.inspect().nodes[0].state === "ready" && client.inspect().nodes[0].pending === 0);
    assert.equal(granted, false);
    await lock.release();
    assert.equal((await settles(waiting, 2_000, "the hand-over")).held, true);
  });
}

test("fair locks are served in the order of arrival, whichever client they are of", async (t) => {
  const server = createMemoryServer();
  const clients = [open(t, server, RARELY), open(t, server, RARELY), open(t, server, RARELY)];
  const holder = await clients[0].acquire("job", { fair: true });
  const served = [];
  const turns = [];
  const queueLength = () => server.keys().find(({ key }) => key === queueOf("job"))?.value.length ?? 0;
  for (let at = 0; at < 12; at += 1) {
    turns.push(
      clients[at % 3].acquire("job", { fair: true, token: String(100 - at) }).then(async (lock) => {
        served.push(at);
        await lock.release();
      }),
    );
    await until(() => queueLength() === at + 1, { every: 1, what: `ticket ${at}` });
  }
  await holder.release();
  await settles(Promise.all(turns), 5_000, "the queue");
  assert.deepEqual(
    served,
    Array.from({ length: 12 }, (_, at) => at),
  );
});

test("a lease ends by the server's clock", async (t) => {
  const clock = steeredClock();
  const server = createMemoryServer({ now: clock.wall });
  const [one, other] = [open(t, server), open(t, server)];
  const lock = await one.acquire("job", { ttl: 30_000 });
  await clock.advance(30_000);
  assert.equal(await other.tryAcquire("job"), null, "a key lives to the end of its last millisecond");
  await clock.advance(1);
  assert.ok(!names(server).includes("lock:job"));
  const next = await other.tryAcquire("job");
  assert.equal(server.keys().find(({ key }) => key === "lock:job").value, next.token);
  assert.equal(await lock.verify(), false);
});

test("with both clocks steered, a lease of half a minute is held and lost in no time", async (t) => {
  const clock = steeredClock();
  const server = createMemoryServer({ now: clock.wall });
  const lock = await open(t, server, { clock }).acquire("job", { ttl: 30_000 });
  // 1 % and 2 ms are allowed for clocks.
  assert.equal(lock.remaining, 29_698);
  await clock.advance(29_600);
  assert.deepEqual([lock.held, lock.remaining, lock.signal.aborted], [true, 98, false]);
  await clock.advance(98);
  assert.deepEqual([lock.held, lock.remaining, lock.signal.aborted], [false, 0, true]);
  assert.ok(lock.signal.reason instanceof LockLostError);
});

test("with both clocks steered, a lock is renewed for an hour, and waited for until it times out", async (t) => {
  const clock = steeredClock();
  const server = createMemoryServer({ now: clock.wall });
  const lock = await open(t, server, { clock }).acquire("job", { renew: true });
  const waiting = rejection(open(t, server, { clock }).acquire("job", { wait: 1_800_000 }), 30_000);
  await clock.advance(1_799_999);
  await clock.advance(1_800_001);
  assert.ok((await waiting) instanceof LockTimeoutError);
  assert.equal(lock.held, true);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
});

test("a Redlock over three servers: a majority decides", async (t) => {
  const servers = Array.from({ length: 3 }, () => createMemoryServer());
  const nodes = servers.map(({ transport }) => ({ transport }));
  const lock = await openClient(t, undefined, { nodes }).acquire("job");
  assert.equal(lock.fence, null);
  await until(() => servers.every((server) => names(server).includes("lock:job")), { what: "all votes" });
  const other = openClient(t, undefined, { nodes });
  servers[0].flush();
  assert.deepEqual(servers[0].keys(), []);
  assert.equal(await other.tryAcquire("job"), null);
  assert.equal(await lock.verify(), true);
  for (const server of servers) server.flush();
  assert.equal(await lock.verify(), false);
  assert.notEqual(await other.tryAcquire("job"), null);
});

test("several keys are taken all or none", async (t) => {
  const server = createMemoryServer();
  const [one, other] = [open(t, server), open(t, server)];
  const lock = await one.acquire(["a", "b"]);
  assert.equal(await other.tryAcquire(["b", "c"]), null);
  assert.ok(!names(server).includes("lock:c"));
  await lock.release();
  assert.notEqual(await other.tryAcquire(["b", "c"]), null);
});

test("a lock is adopted by another client", async (t) => {
  const server = createMemoryServer();
  const lock = await open(t, server).acquire("job");
  const heir = await open(t, server).adopt(JSON.parse(JSON.stringify(lock)));
  assert.equal(heir.fence, lock.fence);
  assert.equal(await heir.release(), "released");
  assert.equal(await lock.verify(), false);
});

test("the database that a URL names is separate from the others", async (t) => {
  const server = createMemoryServer();
  await open(t, server).acquire("job");
  assert.notEqual(await open(t, server, { url: "redis://memory/3" }).tryAcquire("job"), null);
  const found = server.keys().filter(({ key }) => key === "lock:job");
  assert.deepEqual(
    found.map(({ database }) => database),
    [0, 3],
  );
});

test("locks do not depend on timers that stand still", async (t) => {
  const { setTimeout } = globalThis;
  const server = createMemoryServer();
  const client = open(t, server);
  globalThis.setTimeout = () => 0;
  try {
    const lock = await client.acquire("job");
    assert.equal(await lock.release(), "released");
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});

test("bytes arrive in order, in any pieces, and never from within a call", async () => {
  const { transport } = createMemoryServer();
  const heard = [];
  const handler = { data: (chunk) => heard.push(text(chunk)), close: (error) => heard.push(error) };
  const connection = await transport.connect({}, handler, new AbortController().signal);
  connection.write(bytes("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nfi"));
  connection.write(bytes("rst\r\n*2\r\n$3\r\nGET\r\n"));
  connection.write(bytes("$1\r\nk\r\n"));
  assert.deepEqual(heard, []);
  await until(() => heard.join("") === "+OK\r\n$5\r\nfirst\r\n", { what: "the replies" });
  connection.write(bytes("GET k\r\n"));
  await until(() => heard.at(-1) instanceof Error, { what: "the end" });
  assert.match(heard.at(-2), /^-ERR Protocol error/);
  connection.write(bytes("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"));
  await new Promise((resolve) => setTimeout(resolve));
  assert.ok(heard.at(-1) instanceof Error, "nothing comes after the end");
});

test("a connection that was closed, or whose signal aborted, hears nothing more", async () => {
  const { transport } = createMemoryServer();
  const heard = [];
  const handler = { data: (chunk) => heard.push(text(chunk)), close: (error) => heard.push(error) };
  const stop = new AbortController();
  const aborted = await transport.connect({}, handler, stop.signal);
  const closed = await transport.connect({}, handler, new AbortController().signal);
  for (const connection of [aborted, closed]) connection.write(bytes("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"));
  stop.abort(new Error("enough"));
  closed.close();
  const last = await transport.connect({}, handler, new AbortController().signal);
  last.write(bytes("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"));
  await until(() => heard.length > 0);
  assert.deepEqual(heard, ["$-1\r\n"]);
  const refused = transport.connect({}, handler, stop.signal);
  assert.equal((await rejection(refused)).message, "enough");
});

test("bad options are refused, and so is a clock that tells no time", async (t) => {
  assert.throws(() => createMemoryServer({ clock: 1 }), /^TypeError: .*unknown option "clock"/);
  assert.throws(
    () => createMemoryServer({ now: 5 }),
    /^TypeError: createMemoryServer: now must be a function/,
  );
  const server = createMemoryServer({ now: () => Number.NaN });
  const error = await rejection(open(t, server).acquire("job", { wait: 0 }));
  assert.ok(error instanceof ConnectionError);
  assert.match(error.cause?.message, /now must return ms since 1970; got NaN/);
  assert.throws(() => server.keys(), /now must return ms/);
});
