import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, LockTimeoutError, ServerError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, holding, start, TOKEN } from "./support/harness.js";

test("a grant becomes a lock, with fence and token", async () => {
  const { lock, core } = await holding();
  assert.deepEqual(lock.keys, ["first"]);
  assert.equal(lock.fence, 3n * 2n ** 32n + 5n);
  assert.equal(lock.token, "00000001ffffffff000000000000000adeadbeef");
  assert.deepEqual(JSON.parse(JSON.stringify(lock)), {
    keys: ["first"],
    token: lock.token,
    fair: false,
    fence: String(lock.fence),
    ttl: 30_000,
  });
  assert.equal(lock.held, true);
  core.left = 12.5;
  assert.equal(lock.remaining, 12.5);
});

test("the caller's token is kept", async () => {
  const { client, feed } = await connected();
  const promise = client.acquire("k", { token: "mine\ud800" });
  feed([fake.KIND.granted, 2, 0, 1]);
  assert.equal((await promise).token, "mine\ud800");
});

test("failures carry what the core reports, each with its own details", async () => {
  const { client, core, first, feed } = await connected();
  const second = client.acquire("second");
  core.details.push("not acquired within 5 ms (7 attempts)", "NOAUTH", "NOAUTH Authentication required.");
  feed(
    fake.failed(1, { code: fake.CODE.timeout, attempts: 7 }),
    fake.failed(2, { code: fake.CODE.server, node: 0, attempts: 1 }),
  );
  await assert.rejects(
    first,
    (error) =>
      error instanceof LockTimeoutError && error.attempts === 7 && error.message.includes("7 attempts"),
  );
  await assert.rejects(
    second,
    (error) => error instanceof ServerError && error.prefix === "NOAUTH" && error.node === "h:1",
  );
});

test("tryAcquire is null when another holds it, and rejects for all else", async () => {
  const { client, core, feed } = await connected();
  const taken = client.tryAcquire("k");
  const broken = client.tryAcquire("k");
  core.details.push("held by another", "no answer");
  feed(
    fake.failed(2, { code: fake.CODE.timeout, attempts: 1 }),
    fake.failed(3, { code: fake.CODE.connection, node: 0, attempts: 1 }),
  );
  assert.equal(await taken, null);
  await assert.rejects(broken, ConnectionError);
});

test("abort rejects once with the reason, cancels, and leaves no listener", async () => {
  const { client, core, feed } = await connected();
  const controller = new AbortController();
  let listeners = 0;
  const { signal } = controller;
  for (const [name, step] of [
    ["addEventListener", 1],
    ["removeEventListener", -1],
  ]) {
    const original = signal[name].bind(signal);
    signal[name] = (...args) => {
      listeners += step;
      return original(...args);
    };
  }
  const aborted = client.acquire("a", { signal });
  const granted = client.acquire("b", { signal });
  const failed = client.acquire("c", { signal });
  feed([fake.KIND.granted, 3, 0, 1, ...TOKEN], fake.failed(4, { code: fake.CODE.overloaded }));
  await granted;
  await assert.rejects(failed, { code: "LOCK_OVERLOADED" });
  assert.equal(listeners, 1);
  const reason = new Error("enough");
  controller.abort(reason);
  await assert.rejects(aborted, (error) => error === reason);
  assert.equal(listeners, 0);
  assert.deepEqual(
    core.calls.filter(([name]) => name === "cancel"),
    [["cancel", 2]],
  );
});

test("an aborted signal sends nothing", async () => {
  const { client, cores } = start();
  const reason = new LockTimeoutError("the caller's own", 0);
  const signal = AbortSignal.abort(reason);
  for (const verb of [
    client.acquire("k", { signal }),
    client.tryAcquire("k", { signal }),
    client.using("k", { signal }, () => {}),
  ]) {
    await assert.rejects(verb, (error) => error === reason);
  }
  assert.equal(cores.length, 0);
});

test("a request that the core refuses is invalid, and no trap", async () => {
  const { client, core, abandoned } = await connected();
  const reserved = new TypeError("key: is reserved");
  core.acquire = () => 0;
  core.refusal = reserved;
  await assert.rejects(client.acquire("k"), (error) => error === reserved);
  assert.deepEqual(abandoned, []);
});

test("without a fence from the core, the lock has none", async () => {
  const { client, feed } = await connected({ url: undefined, nodes: ["redis://h:1", "redis://g:2"] });
  const promise = client.acquire("k");
  feed([fake.KIND.granted, 2, 0, 0, ...TOKEN]);
  const lock = await promise;
  assert.equal(lock.fence, null);
  assert.equal(lock.toJSON().fence, null);
});
