import assert from "node:assert/strict";
import { test } from "node:test";
import * as fake from "./support/fake-core.js";
import { connected, start, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("events are reported in order, as plain data with keys, durations and reasons", async () => {
  const events = [];
  const { client, clock, core, feed } = await connected({
    observe: (event) => events.push(event),
  });
  assert.deepEqual(core.calls[0], ["observe", true]);
  feed([fake.KIND.connection, 0, 0], [fake.KIND.contended, 1]);
  client.acquire(["a", "b"], { token: "secret" }).then((lock) => lock.release());
  clock.time += 20;
  feed(
    [fake.KIND.granted, 1, 0, 5, ...TOKEN, 1],
    [fake.KIND.granted, 2, 0, 6, 0, 0, 0, 0, 0, 4],
    [fake.KIND.degraded, 2, 3],
    [fake.KIND.renewed, 1, 1.5],
  );
  await settle();
  clock.time += 30;
  const noperm = [fake.CODE.server, 0, fake.CAUSE.unknown, 0, 0, 0, 0];
  core.details.push("NOPERM", "NOPERM no", "gone", "expired", "NOPERM", "NOPERM no", "reset");
  feed(
    [fake.KIND.renewFailed, 1, ...noperm],
    [fake.KIND.lost, 2, fake.LOSS.gone],
    [fake.KIND.lost, 1, 1, 1],
    [fake.KIND.reason, 0, ...noperm],
    [fake.KIND.connection, 0, 1],
    [fake.KIND.reason, 0, fake.CODE.connection, 0, fake.CAUSE.unknown, 0, 0, 0, 0],
    [fake.KIND.renewed, 99],
  );
  const failure = {
    name: "ServerError",
    message: 'lock "first": h:1: NOPERM no',
    code: "LOCK_SERVER",
    node: "h:1",
    prefix: "NOPERM",
  };
  const ended = {
    name: "ConnectionError",
    message: "h:1: reset",
    code: "LOCK_CONNECTION",
    node: "h:1",
  };
  const gone = {
    name: "LockLostError",
    message: 'lock "a", "b": gone',
    code: "LOCK_LOST",
  };
  const loss = {
    name: "LockLostError",
    message: 'lock "first": expired',
    code: "LOCK_LOST",
    cause: failure,
  };
  const expected = [
    { type: "connection", node: "h:1", state: "ready" },
    { type: "contended", keys: ["first"] },
    { type: "acquired", keys: ["first"], fence: "5", waited: 20, attempts: 1 },
    { type: "acquired", keys: ["a", "b"], fence: "6", waited: 20, attempts: 4 },
    { type: "degraded", keys: ["a", "b"], missing: 3 },
    { type: "renewed", keys: ["first"], rtt: 1.5 },
    { type: "renew-failed", keys: ["first"], error: failure },
    { type: "lost", keys: ["a", "b"], fence: "6", held: 30, error: gone },
    {
      type: "released",
      keys: ["a", "b"],
      fence: "6",
      held: 30,
      outcome: "expired",
    },
    { type: "lost", keys: ["first"], fence: "5", held: 30, error: loss },
    {
      type: "connection",
      node: "h:1",
      state: "ended",
      reason: "h:1: reset",
      error: ended,
    },
  ];
  assert.deepEqual(events, expected);
  assert.deepEqual(JSON.parse(JSON.stringify(events)), expected, "plain data");
});

test("observers come and go, and the core learns of the first and of the last", async () => {
  const { client, core, feed } = await connected();
  const [first, second] = [[], []];
  const removeFirst = client.observe(({ type }) => first.push(type));
  const removeSecond = client.observe(({ type }) => second.push(type));
  feed([fake.KIND.contended, 1]);
  removeFirst();
  removeFirst();
  feed([fake.KIND.contended, 1]);
  removeSecond();
  feed([fake.KIND.contended, 1]);
  assert.deepEqual([first, second], [["contended"], ["contended", "contended"]]);
  assert.deepEqual(
    core.calls.filter(([name]) => name === "observe"),
    [
      ["observe", true],
      ["observe", false],
    ],
  );
  assert.throws(() => client.observe("yes"), TypeError);
});

test("a wait that is over is reported with its attempts, a single attempt is not", async () => {
  const events = [];
  const { client, clock, core, feed } = await connected({
    observe: (event) => events.push(event),
  });
  client.tryAcquire("try").catch(() => {});
  client.acquire("wait", { wait: 5 }).catch(() => {});
  await settle();
  clock.time += 5;
  core.details.push("held", "late");
  feed(
    fake.failed(2, { code: fake.CODE.timeout, attempts: 1 }),
    fake.failed(3, { code: fake.CODE.timeout, attempts: 7 }),
  );
  assert.deepEqual(events, [{ type: "timed-out", keys: ["wait"], waited: 5, attempts: 7 }]);
});

test("without observers the failure of a first contact is a warning", async () => {
  const warnings = [];
  const listener = (warning) => warnings.push(warning);
  process.on("warning", listener);
  const { core, feed } = await connected();
  core.details.push("NOAUTH", "NOAUTH Authentication required.");
  feed([fake.KIND.connection, 0, 1], [fake.KIND.reason, 0, fake.CODE.server, 0, 0, 0, 0, 0, 0]);
  await settle();
  process.off("warning", listener);
  assert.deepEqual(
    warnings.map(({ name, code }) => [name, code]),
    [["RedlatchWarning", "REDLATCH_FIRST_CONTACT"]],
  );
  assert.match(warnings[0].message, /h:1: NOAUTH/);
  assert.doesNotMatch(warnings[0].message, /go on trying/, "this error does not pass");
});

test("the warning about a connection that may come later says that the locks go on trying", async () => {
  const warnings = [];
  const listener = (warning) => warnings.push(warning.message);
  process.on("warning", listener);
  const { core, feed } = await connected();
  const { CODE, CAUSE, KIND } = fake;
  for (const cause of [CAUSE.transport, CAUSE.obstacle]) {
    core.details.push("connect EX h:1");
    feed([KIND.connection, 0, 1], [KIND.reason, 0, CODE.connection, 0, cause, 1, 0, 0, 0]);
  }
  await settle();
  process.off("warning", listener);
  assert.match(warnings[0], /connect EX h:1; locks go on trying until their `wait` is over$/);
  assert.match(warnings[1], /connect EX h:1$/);
});

test("observers are called after the losses are announced, and what they throw becomes one warning", async () => {
  const order = [];
  const warnings = [];
  const listener = (warning) => warnings.push(warning);
  process.on("warning", listener);
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
  feed([fake.KIND.connection, 0, 0], [fake.KIND.lost, 1, 1], [fake.KIND.transmit, 9]);
  assert.deepEqual(order, ["acquired", "abort", "connection", "lost"]);
  assert.deepEqual(dial.connection.written, ["after"], "the drain goes on");
  await settle();
  process.off("warning", listener);
  assert.deepEqual(
    warnings.map(({ code }) => code),
    ["REDLATCH_OBSERVER"],
  );
  assert.match(warnings[0].message, /an observer's own/);
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

test("a trap and a close are reported as well", async () => {
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
    nodes: [{ node: "h:1", state: "ready", pending: 1, wakes: true, fault: null }],
    locks: [{ keys: ["first"], fair: false, fence: "5", remaining: 12.5 }],
    waiters: [{ keys: ["a", "b"], fair: true }],
    releasing: 2,
    counters: { attempts: 7 },
  });
  assert.doesNotMatch(JSON.stringify(snapshot), new RegExp(`canary|${lock.token}`));
  lock.release();
  assert.deepEqual(client.inspect().locks, [], "what is being released is not held");
});

test("inspect before the first use dials nobody, and after the end returns the last counters", async () => {
  const { client, cores, transport } = start();
  assert.equal(client.inspect().nodes[0].node, "h:1");
  assert.equal(transport.dials.length, 0);
  await client.close();
  cores[0].snapshot = undefined;
  assert.deepEqual(client.inspect(), {
    nodes: [{ node: "h:1", state: "closed", pending: 0, wakes: false, fault: null }],
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
