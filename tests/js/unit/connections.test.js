import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, holding, start, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("the core is built at the first use, and the server dialled without credentials", async () => {
  const { client, cores, transport } = start();
  assert.equal(cores.length, 0);
  client.acquire("k").catch(() => {});
  assert.deepEqual(cores[0].calls[0], ["add_node", "u", "canary", 2, false, false]);
  cores[0].queue(fake.KIND.connect, 9, 0);
  await settle();
  assert.deepEqual(transport.dials[0].address, {
    host: "h",
    port: 1,
    tls: false,
    tlsOptions: {},
    path: null,
  });
  transport.dials[0].resolve();
  await settle();
  assert.equal(cores[0].count("connected"), 1);
});

test("all of one tick is drained once and written once", async () => {
  const { client, core, dial } = await connected();
  const polls = core.count("poll");
  core.queue(fake.KIND.transmit, 9);
  core.outgoing.set(9, "many");
  for (let i = 0; i < 500; i++) client.acquire(`k${i}`).catch(() => {});
  assert.deepEqual(dial.connection.written, []);
  await settle();
  assert.deepEqual(dial.connection.written, ["many"]);
  assert.equal(core.count("poll") - polls, 1);
});

test("while a server has a backlog, calls of several callbacks are drained together at the end of the turn", async () => {
  const ends = [];
  const { client, core, clock, feed } = await connected({}, undefined, (call) => ends.push(call));
  const polls = () => core.count("poll");
  const call = async (key) => {
    client.acquire(key).catch(() => {});
    await settle();
  };
  core.backlog = true;
  feed();
  await settle();
  let before = polls();
  clock.time += 5;
  await call("a");
  clock.time += 0.5;
  await call("b");
  assert.deepEqual([polls() - before, ends.length], [0, 1]);
  assert.deepEqual(core.asked.slice(-2), [1005, 1005.5], "the clock is read for each of them");
  ends.shift()();
  assert.equal(polls() - before, 1);

  // Bytes drain the calls too. Then the end of the turn finds nothing to do.
  await call("c");
  feed();
  before = polls();
  ends.shift()();
  assert.equal(polls() - before, 0);

  // What follows from the bytes at once does not wait.
  await settle();
  before = polls();
  feed();
  client.acquire("d").catch(() => {});
  await settle();
  assert.deepEqual([polls() - before, ends.length], [2, 0]);

  // Nobody waits for much longer than a millisecond if others call.
  await call("e");
  clock.time += 1;
  before = polls();
  await call("f");
  assert.deepEqual([polls() - before, ends.length], [1, 1]);
  ends.shift()();
  assert.equal(polls() - before, 1);

  core.backlog = false;
  feed();
  await settle();
  before = polls();
  await call("g");
  assert.deepEqual([polls() - before, ends.length], [1, 0]);
});

test("a dial that fails is reported to the core, and its error is the cause", async () => {
  const { client, cores, transport } = start();
  const promise = client.acquire("k");
  cores[0].queue(fake.KIND.connect, 9, 0);
  await settle();
  const refused = new Error("connect ECONNREFUSED h:1");
  cores[0].queue(
    ...fake.failed(1, {
      code: fake.CODE.connection,
      node: 0,
      cause: fake.CAUSE.transport,
      connection: 9,
      attempts: 1,
    }),
  );
  cores[0].details.push("connect ECONNREFUSED h:1");
  transport.dials[0].reject(refused);
  await assert.rejects(
    promise,
    (error) => error instanceof ConnectionError && error.cause === refused && error.node === "h:1",
  );
  assert.deepEqual(
    cores[0].calls.find(([name]) => name === "closed"),
    ["closed", 9, "connect ECONNREFUSED h:1"],
  );
});

for (const [what, connect] of [
  [
    "throws",
    () => {
      throw new Error("boom");
    },
  ],
  ["answers nothing sensible", () => Promise.reject(undefined)],
  [
    "ends while it dials",
    (_, handler) => {
      handler.close(new Error("boom"));
      handler.close();
      return new Promise(() => {});
    },
  ],
  [
    "speaks while it dials",
    (_, handler) => {
      handler.data(Buffer.from("+"));
      return new Promise(() => {});
    },
  ],
]) {
  test(`a transport that ${what} is one closed connection`, async () => {
    const { client, cores } = start({ transport: { connect } });
    client.acquire("k").catch(() => {});
    cores[0].queue(fake.KIND.connect, 9, 0);
    await settle();
    assert.equal(cores[0].count("closed"), 1);
    assert.equal(cores[0].count("received"), 0);
  });
}

test("whatever comes from a connection after its end is ignored", async () => {
  const { core, dial } = await connected();
  dial.handler.data(Buffer.from("early"));
  dial.handler.close(new Error("reset"));
  dial.handler.close(new Error("again"));
  dial.handler.data(Buffer.from("late"));
  assert.deepEqual(
    core.calls.filter(([name]) => name === "closed"),
    [["closed", 9, "h:1: reset"]],
  );
  assert.equal(core.count("received"), 1);
  assert.equal(dial.connection.closed, 1);
});

test("a connection that ends before anything was received may be one to a server that requires TLS", async () => {
  const { core, dial } = await connected();
  dial.handler.close(new Error("reset"));
  const [[, , reason]] = core.calls.filter(([name]) => name === "closed");
  assert.match(reason, /^h:1: reset before the server sent anything; .*rediss:\/\//);
});

test("the core's close drops the connection, and aborts a dial", async () => {
  const { client, core, dial, transport, feed } = await connected();
  feed([fake.KIND.close, 9], [fake.KIND.connect, 10, 0]);
  assert.equal(dial.connection.closed, 1);
  const second = transport.dials[1];
  assert.equal(second.signal.aborted, false);
  core.queue(fake.KIND.close, 10);
  client.acquire("k").catch(() => {});
  await settle();
  assert.equal(second.signal.aborted, true);
  second.resolve();
  await settle();
  assert.equal(second.connection.closed, 1, "a connection that comes too late is closed");
  assert.equal(core.count("closed"), 0);
  assert.equal(core.count("connected"), 1);
});

test("a write or a close that throws ends that connection only", async () => {
  const { core, dial, feed } = await connected();
  dial.connection.write = () => {
    throw new Error("EPIPE");
  };
  dial.connection.close = () => {
    throw new Error("worse");
  };
  core.outgoing.set(9, "bytes");
  feed([fake.KIND.transmit, 9]);
  assert.deepEqual(
    core.calls.filter(([name]) => name === "closed"),
    [["closed", 9, "h:1: EPIPE"]],
  );
});

test("a transport that answers within write is drained by the same loop", async () => {
  const { core, dial, feed, first } = await connected();
  core.outgoing.set(9, "bytes");
  dial.connection.write = () => {
    core.queue(fake.KIND.granted, 1, 0, 1, ...TOKEN);
    dial.handler.data(Buffer.from("answer"));
  };
  feed([fake.KIND.transmit, 9]);
  assert.equal((await first).fence, 1n);
});

test("one timer: it moves to an earlier deadline only, and keeps the process alive as the connection does, for what is owed", async () => {
  const { client, clock, core, dial, feed, first } = await connected();
  core.delay = 100;
  core.debts = 1;
  feed();
  const [[handle, { at }]] = clock.timers;
  assert.equal(at, 1100);
  const kept = () => [[...clock.timers.keys()][0].kept, dial.connection.kept];
  assert.deepEqual([handle.kept, ...kept()], [true, true, true]);
  const { armed } = clock;
  core.delay = 200;
  feed();
  core.delay = 99.95;
  feed();
  core.delay = Number.POSITIVE_INFINITY;
  feed();
  assert.equal(clock.armed, armed);
  core.delay = 50.2;
  feed();
  assert.equal(clock.armed, armed + 1);
  assert.equal(clock.timers.size, 1);
  assert.equal([...clock.timers.values()][0].at, 1051);
  core.debts = 0;
  feed([fake.KIND.granted, 1, 0, 1, ...TOKEN]);
  const lock = await first;
  assert.deepEqual(kept(), [false, false]);
  core.debts = 1;
  const released = lock.release();
  await settle();
  assert.deepEqual(kept(), [true, true]);
  core.delay = 10;
  clock.advance(60);
  assert.equal(core.count("timeout"), 1);
  assert.equal([...clock.timers.values()][0].at, 1070);
  core.debts = 0;
  feed([fake.KIND.released, 1, 0]);
  await released;
  assert.deepEqual(kept(), [false, false]);
  await client.close();
  assert.equal(clock.timers.size, 0);
});

test("a listener that calls back from within the drain does no harm", async () => {
  const { client, core, lock, dial, feed } = await holding();
  let inner;
  lock.signal.addEventListener("abort", () => {
    inner = client.acquire("inner");
    core.queue(fake.KIND.granted, 2, 0, 2, ...TOKEN);
  });
  core.outgoing.set(9, "after");
  feed([fake.KIND.lost, 1, 1], [fake.KIND.transmit, 9]);
  assert.equal((await inner).fence, 2n);
  assert.deepEqual(dial.connection.written, ["after"]);
});
