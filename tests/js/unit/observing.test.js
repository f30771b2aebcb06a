import assert from "node:assert/strict";
import { test } from "node:test";
import { LockLostError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, start, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("what happens is told in order, with keys and without tokens", async () => {
  const events = [];
  const { client, core, feed } = await connected({ observe: (event) => events.push(event) });
  assert.deepEqual(core.calls[0], ["observe"]);
  feed([fake.KIND.connection, 0, 1], [fake.KIND.contended, 1]);
  client.acquire(["a", "b"], { token: "secret" }).then((lock) => lock.release());
  feed(
    [fake.KIND.granted, 1, 0, 5, ...TOKEN],
    [fake.KIND.granted, 2, 0, 6],
    [fake.KIND.degraded, 2, 3],
    [fake.KIND.renewed, 1],
  );
  await settle();
  feed(
    [fake.KIND.released, 2, 1],
    [fake.KIND.lost, 1, 1],
    [fake.KIND.connection, 0, 0],
    [fake.KIND.renewed, 99],
  );
  const lost = events.at(-2)?.error;
  assert.ok(lost instanceof LockLostError);
  assert.deepEqual(events, [
    { type: "connection", node: "h:1", state: "ready" },
    { type: "contended", keys: ["first"] },
    { type: "acquired", keys: ["first"], fence: 5n },
    { type: "acquired", keys: ["a", "b"], fence: 6n },
    { type: "degraded", keys: ["a", "b"], missing: 3 },
    { type: "renewed", keys: ["first"] },
    { type: "released", keys: ["a", "b"], fence: 6n, outcome: "expired" },
    { type: "lost", keys: ["first"], fence: 5n, error: lost },
    { type: "connection", node: "h:1", state: "ended" },
  ]);
});

test("nobody is told before the losses are announced, and what is thrown there ends there", async () => {
  const order = [];
  const observe = (event) => {
    order.push(event.type);
    if (event.type === "acquired") throw new Error("an observer's own");
    return Promise.reject(new Error("another of its own"));
  };
  const { core, dial, first, feed } = await connected({ observe });
  feed([fake.KIND.granted, 1, 0, 5, ...TOKEN]);
  const lock = await first;
  lock.signal.addEventListener("abort", () => order.push("abort"));
  core.outgoing.set(9, "after");
  feed([fake.KIND.connection, 0, 1], [fake.KIND.lost, 1, 1], [fake.KIND.transmit, 9]);
  assert.deepEqual(order, ["acquired", "abort", "connection", "lost"]);
  assert.deepEqual(dial.connection.written, ["after"], "the drain goes on");
  await settle();
});

test("an observer may use the client", async () => {
  let inner;
  const { client, core, feed } = await connected({
    observe({ type }) {
      if (type !== "contended") return;
      assert.equal(client.inspect().waiters.length, 1);
      inner = client.acquire("inner");
      core.queue(fake.KIND.granted, 2, 0, 2, ...TOKEN);
    },
  });
  feed([fake.KIND.contended, 1]);
  assert.equal((await inner).fence, 2n);
});

test("a trap and a close are told as well", async () => {
  const events = [];
  const { client, core, first, feed } = await connected({
    observe: ({ type, outcome }) => events.push([type, outcome]),
  });
  feed([fake.KIND.granted, 1, 0, 5, ...TOKEN]);
  const lock = await first;
  core.trapIn = "received";
  feed();
  assert.equal(lock.signal.aborted, true);
  assert.deepEqual(events.splice(0), [
    ["acquired", undefined],
    ["lost", undefined],
  ]);
  await client.close();
});

test("without an observer nothing is asked of the core", async () => {
  const { core, first, feed } = await connected();
  assert.equal(core.count("observe"), 0);
  feed([fake.KIND.granted, 1, 0, 5, ...TOKEN]);
  await first;
});

test("inspect is plain data: nodes, locks, waiters, counters; no credentials, no tokens", async () => {
  const { client, core, first, feed } = await connected();
  client.acquire(["a", "b"], { fair: true, token: "canary" }).catch(() => {});
  feed([fake.KIND.granted, 1, 0, 5, ...TOKEN]);
  const lock = await first;
  core.left = 12.5;
  const snapshot = client.inspect();
  assert.deepEqual(snapshot, {
    nodes: [{ node: "h:1", state: "ready", pending: 1, wakes: true }],
    locks: [{ keys: ["first"], fair: false, fence: "5", remaining: 12.5 }],
    waiters: [{ keys: ["a", "b"], fair: true }],
    releasing: 2,
    counters: { attempts: 7 },
  });
  assert.doesNotMatch(JSON.stringify(snapshot), new RegExp(`canary|${lock.token}`));
  lock.release();
  assert.deepEqual(client.inspect().locks, [], "what is being released is not held");
});

test("inspect before the first use dials nobody, and after the end tells the last counters", async () => {
  const { client, cores, transport } = start();
  assert.equal(client.inspect().nodes[0].node, "h:1");
  assert.equal(transport.dials.length, 0);
  await client.close();
  cores[0].snapshot = undefined;
  assert.deepEqual(client.inspect(), {
    nodes: [{ node: "h:1", state: "down", pending: 0, wakes: false }],
    locks: [],
    waiters: [],
    releasing: 0,
    counters: { attempts: 7 },
  });
  assert.equal(cores.length, 1);
});

test("a trap in inspect is thrown, and the next call works", async () => {
  const { client, core, cores } = await connected();
  core.trapIn = "inspect";
  assert.throws(() => client.inspect(), { code: "LOCK_INTERNAL" });
  assert.equal(client.inspect().nodes.length, 1);
  assert.equal(cores.length, 2);
});
