import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, InternalError, LockLostError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, holding, start, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("close: pending ones reject, held ones are released, then all is gone", async () => {
  const { client, clock, core, dial, lock, feed } = await holding();
  core.alive = 2;
  core.delay = 1000;
  const pending = client.acquire("k");
  core.onClose = [fake.failed(2, { code: fake.CODE.closed }), [fake.KIND.lost, 1, fake.LOSS.closed]];
  core.details.push("the client was closed before", "the client was closed while");
  const closing = client.close();
  await assert.rejects(pending, ClosedError);
  await assert.rejects(client.acquire("k"), ClosedError);
  await assert.rejects(client.tryAcquire("k"), ClosedError);
  await assert.rejects(
    client.using("k", () => {}),
    ClosedError,
  );
  assert.equal(core.count("close"), 1);
  assert.equal(core.count("cancel") + core.count("release"), 0, "the core knows what to do");
  assert.match(lock.signal.reason.message, /closed while/);
  assert.equal(dial.connection.closed, 0);
  core.alive = 0;
  feed([fake.KIND.released, 1, 0]);
  await closing;
  assert.equal(await lock.release(), "released");
  assert.equal(dial.connection.closed, 1);
  assert.equal(clock.timers.size, 0);
  assert.equal(core.freed, true);
  await client.close();
  await client[Symbol.asyncDispose]();
});

test("close: a signal aborts before the release of its lock is written", async () => {
  const { client, core, dial, lock } = await holding();
  core.alive = 1;
  core.outgoing.set(9, "release");
  core.onClose = [
    [fake.KIND.lost, 1, fake.LOSS.closed],
    [fake.KIND.transmit, 9],
  ];
  let written;
  lock.signal.addEventListener("abort", () => (written = dial.connection.written.join()));
  client.close({ timeout: 70 });
  await settle();
  assert.deepEqual([written, dial.connection.written.join()], ["", "release"]);
});

test("close: the lock of a body is named to the core, and released when the body ends", async () => {
  const { client, core, dial, feed } = await connected();
  let end;
  let held;
  const using = client.using("k", (lock) => {
    held = lock;
    return new Promise((resolve) => (end = resolve));
  });
  await settle();
  feed([fake.KIND.granted, 2, 0, 1, ...TOKEN]);
  await settle();
  core.alive = 1;
  core.onClose = [[fake.KIND.closing, 2]];
  const closing = client.close();
  await settle();
  assert.deepEqual(
    core.calls.filter(([name]) => name === "close"),
    [["close", [2]]],
  );
  assert.ok(held.signal.reason instanceof LockLostError && held.signal.reason.cause instanceof ClosedError);
  assert.equal(held.held, true);
  // The lock is gone, but not the body.
  core.alive = 0;
  feed();
  await settle();
  assert.equal(dial.connection.closed, 0);
  end("done");
  await settle();
  assert.equal(core.count("release"), 1);
  feed([fake.KIND.released, 2, 0]);
  assert.equal(await using, "done");
  await closing;
  assert.equal(dial.connection.closed, 1);
});

test("close: a body whose lock was granted a moment before does not begin", async () => {
  const { client, core, feed } = await connected();
  const using = client.using("k", () => assert.fail("the body ran"));
  await settle();
  feed([fake.KIND.granted, 2, 0, 1, ...TOKEN]);
  core.onClose = [[fake.KIND.lost, 2, fake.LOSS.closed]];
  const closing = client.close();
  await assert.rejects(using, ClosedError);
  await closing;
});

test("close gives up after its timeout", async () => {
  const { client, clock, core, dial, lock } = await holding();
  core.alive = 1;
  const verifying = lock.verify();
  await settle();
  core.onClose = [[fake.KIND.lost, 1, fake.LOSS.closed]];
  const closing = client.close({ timeout: 70 });
  await settle();
  clock.advance(69);
  assert.equal(dial.connection.closed, 0);
  clock.advance(1);
  await closing;
  await assert.rejects(verifying, ClosedError);
  assert.equal(await lock.release(), "unknown");
  assert.equal(dial.connection.closed, 1);
  assert.equal(clock.timers.size, 0);
});

test("close of a client that was never used builds nothing", async () => {
  const { client, cores } = start();
  await client.close();
  assert.equal(cores.length, 0);
});

test("a trap fails everything with LOCK_INTERNAL, and the next call gets a new core", async () => {
  const { client, clock, cores, abandoned, core, dial, lock, feed } = await holding();
  const pending = client.acquire("k");
  const verifying = lock.verify();
  const { signal } = lock;
  await settle();
  core.delay = 10;
  feed();
  core.trapIn = "received";
  feed();
  await assert.rejects(
    pending,
    (error) => error instanceof InternalError && error.cause instanceof WebAssembly.RuntimeError,
  );
  await assert.rejects(verifying, InternalError);
  assert.equal(lock.held, false);
  assert.ok(signal.reason instanceof LockLostError && signal.reason.cause instanceof InternalError);
  assert.equal(await lock.release(), "expired");
  assert.equal(dial.connection.closed, 1);
  assert.deepEqual(abandoned, [core]);
  assert.equal(core.freed, false, "no call into a poisoned instance");
  assert.equal(clock.timers.size, 0);
  const again = client.acquire("k");
  assert.equal(cores.length, 2);
  cores[1].queue(fake.KIND.granted, 1, 0, 8, ...TOKEN);
  assert.equal((await again).fence, 8n);
});

for (const verb of ["room", "acquire", "poll", "add_node"]) {
  test(`a trap in ${verb} settles the acquire`, async () => {
    const { client } = start({}, (core) => {
      core.trapIn = verb;
      core.queue(fake.KIND.transmit, 9);
    });
    await assert.rejects(client.acquire("k"), InternalError);
    await client.close();
  });
}

test("a trap during a release: its outcome is unknown", async () => {
  const { core, lock, feed } = await holding();
  const releasing = lock.release();
  core.trapIn = "received";
  feed();
  assert.equal(await releasing, "unknown");
});
