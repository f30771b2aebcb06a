import assert from "node:assert/strict";
import { test } from "node:test";
import { ClosedError, LockLostError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, holding, start, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("an extension that a release overtakes rejects, and is no loss: the signal stays as it is", async () => {
  const { lock, core, feed } = await holding();
  const extending = lock.extend();
  const releasing = lock.release();
  core.details.push("the lock was released");
  feed(fake.operationFailed(2, { code: fake.CODE.lost }), [fake.KIND.released, 1, 0]);
  await assert.rejects(
    extending,
    (error) => error instanceof LockLostError && /was released/.test(error.message),
  );
  assert.equal(await releasing, "released");
  assert.equal(lock.signal.aborted, false);
});

test("close aborts the signals of held locks, and not those of released locks", async () => {
  const { client, core, lock, feed } = await holding();
  const second = client.acquire("second");
  feed([fake.KIND.granted, 2, 0, 1, ...TOKEN]);
  const other = await second;
  core.alive = 2;
  other.release();
  core.onClose = [[fake.KIND.lost, 1, fake.LOSS.closed]];
  let told = 0;
  lock.signal.addEventListener("abort", () => (told += 1));
  const closing = client.close();
  await settle();
  assert.equal(told, 1);
  assert.ok(lock.signal.reason instanceof LockLostError && lock.signal.reason.cause instanceof ClosedError);
  assert.equal(other.signal.aborted, false);
  core.alive = 0;
  feed([fake.KIND.released, 1, 0], [fake.KIND.released, 2, 0]);
  await closing;
  assert.equal(await lock.release(), "released");
});

for (const [what, chunk] of [
  ["null", null],
  ["a string", "+OK\r\n"],
  ["an ArrayBuffer", new ArrayBuffer(4)],
  ["a DataView", new DataView(new ArrayBuffer(4))],
  ["numbers of 16 bits", new Uint16Array(2)],
]) {
  test(`a transport that hands over ${what} loses that connection, and no lock`, async () => {
    const { core, dial, lock, abandoned } = await holding();
    const before = core.count("received");
    dial.handler.data(chunk);
    assert.equal(core.count("received"), before);
    assert.match(core.calls.find(([name]) => name === "closed")[2], /Uint8Array/);
    assert.equal(dial.connection.closed, 1);
    assert.deepEqual(abandoned, []);
    assert.equal(lock.held, true);
  });
}

for (const connection of [undefined, null, {}, { write() {} }]) {
  test(`a connect that resolves to ${JSON.stringify(connection)} is refused by name`, async () => {
    const { client, cores } = start({ transport: { connect: async () => connection } });
    client.acquire("k").catch(() => {});
    cores[0].queue(fake.KIND.connect, 9, 0);
    await settle();
    assert.equal(cores[0].count("connected"), 0);
    assert.match(cores[0].calls.find(([name]) => name === "closed")[2], /write\(bytes\)/);
  });
}

test("a transport whose write or close is async may reject: the connection ends, nothing goes unhandled", async () => {
  const { core, dial, feed } = await connected();
  dial.connection.write = async () => {
    throw new Error("EPIPE");
  };
  dial.connection.close = async () => {
    throw new Error("worse");
  };
  core.outgoing.set(9, "bytes");
  feed([fake.KIND.transmit, 9]);
  await settle();
  assert.deepEqual(
    core.calls.filter(([name]) => name === "closed"),
    [["closed", 9, "h:1: EPIPE"]],
  );
});

for (const [what, reason] of [
  ["cannot be shown", Object.create(null)],
  [
    "throws when shown",
    {
      toString() {
        throw new Error("no");
      },
    },
  ],
  ["has an object as its message", Object.assign(new Error("x"), { message: { a: 1 } })],
]) {
  test(`a dial that fails with a value that ${what}`, async () => {
    const { client, cores } = start({ transport: { connect: () => Promise.reject(reason) } });
    client.acquire("k").catch(() => {});
    cores[0].queue(fake.KIND.connect, 9, 0);
    await settle();
    assert.equal(typeof cores[0].calls.find(([name]) => name === "closed")?.[2], "string");
  });
}

test("many acquires share one signal: no warning of a leak, and the abort ends all", async () => {
  const warnings = [];
  const onWarning = (warning) => warnings.push(warning.name);
  process.on("warning", onWarning);
  const { client } = await connected();
  const controller = new AbortController();
  const all = Promise.allSettled(
    Array.from({ length: 50 }, (_, at) => client.acquire(`k${at}`, { signal: controller.signal })),
  );
  await settle();
  controller.abort("enough");
  assert.deepEqual(new Set((await all).map(({ reason }) => reason)), new Set(["enough"]));
  await settle();
  process.off("warning", onWarning);
  assert.deepEqual(warnings, []);
});

test("a clock that fails once does not silence the client for ever", async () => {
  const { client, clock, cores } = await connected();
  const now = clock.now;
  const pending = client.acquire("k");
  pending.catch(() => {});
  clock.now = () => {
    throw new Error("clock");
  };
  await settle();
  clock.now = now;
  await assert.rejects(pending, { code: "LOCK_INTERNAL" });
  const again = client.acquire("k");
  cores.at(-1).queue(fake.KIND.granted, 1, 0, 1, ...TOKEN);
  await settle();
  assert.equal((await again).fence, 1n);
});

test("no timer is longer than timers can be, whatever the clock", async () => {
  const { client, clock, core, feed } = await connected();
  core.delay = 30 * 86_400_000;
  core.alive = 1;
  feed();
  client.close({ timeout: 2 ** 40 });
  for (const { at } of clock.timers.values()) assert.ok(at - clock.time < 2 ** 31);
});

test("a clock is read once when it is given: one that cannot be used is refused by name", () => {
  const good = new fake.FakeClock();
  for (const reading of [NaN, "5", 5n, undefined, new Date()]) {
    for (const method of ["now", "wall"]) {
      assert.throws(
        () => start({ clock: Object.assign(Object.create(good), good, { [method]: () => reading }) }),
        new RegExp(`clock.${method}`),
      );
    }
  }
});

test("a signal that cannot be listened to is refused", async () => {
  const { client, cores } = start();
  await assert.rejects(client.acquire("k", { signal: { aborted: false, addEventListener() {} } }), /signal/);
  assert.equal(cores.length, 0);
});

test("a lease in place of the options: the error says where it belongs", async () => {
  const { client } = start();
  for (const call of [
    () => client.using("k", 5000, () => {}),
    () => client.acquire("k", 5000),
    () => client.tryAcquire("k", 5000),
  ]) {
    await assert.rejects(
      call,
      (error) =>
        error instanceof TypeError &&
        /got 5000 \(a lease of 5000 ms is \{ ttl: 5000 \}\)$/.test(error.message),
    );
  }
});
