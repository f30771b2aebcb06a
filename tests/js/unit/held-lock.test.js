import assert from "node:assert/strict";
import { test } from "node:test";
import { LockLostError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected, holding, TOKEN } from "./support/harness.js";

const { settle } = fake;

test("loss: held is false and the signal aborts before any promise of the same drain resolves", async () => {
  const { client, lock, feed } = await holding();
  const order = [];
  lock.signal.addEventListener("abort", () => order.push(`abort ${lock.held}`));
  const other = client.acquire("other").then(() => order.push("granted"));
  feed([fake.KIND.granted, 2, 0, 1, ...TOKEN], [fake.KIND.lost, 1, 1]);
  assert.deepEqual(order, ["abort false"]);
  await other;
  assert.deepEqual(order, ["abort false", "granted"]);
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.equal(lock.signal.reason.since, 1_700_000_001_000);
  await assert.rejects(lock.extend(), ({ code, message, since }) => {
    assert.deepEqual([code, message, since], ["LOCK_LOST", lock.signal.reason.message, 1_700_000_001_000]);
    return true;
  });
  assert.equal(await lock.verify(), false);
  assert.equal(await lock.release(), "expired");
  assert.equal(lock.remaining, 0);
});

test("a signal that is made after the loss has aborted already", async () => {
  const { lock, core, feed } = await holding();
  core.details.push("the server says no");
  feed([fake.KIND.lost, 1, 2]);
  assert.equal(lock.signal.aborted, true);
  assert.match(lock.signal.reason.message, /server/);
});

test("held is read from the clock: false without any timer, and for ever", async () => {
  const { lock, core } = await holding();
  core.left = 0;
  assert.equal(lock.held, false);
  core.left = 500;
  assert.equal(lock.held, false);
  core.queue(fake.KIND.lost, 1, 1);
  await settle();
  assert.equal(core.count("timeout"), 0, "a read is not the look at the sockets that a timer stands for");
  assert.equal(lock.signal.aborted, true);
});

test("release is idempotent, and nothing is sent after it", async () => {
  const { lock, core, feed } = await holding();
  const promise = lock.release();
  assert.equal(lock.release(), promise);
  assert.equal(lock.held, false);
  await assert.rejects(lock.extend(), LockLostError);
  assert.equal(await lock.verify(), false);
  feed([fake.KIND.released, 1, 0]);
  assert.equal(await promise, "released");
  assert.equal(core.count("release"), 1);
  assert.equal(core.count("extend") + core.count("verify"), 0);
  assert.equal(lock.signal.aborted, false);
});

test("the outcomes of a release, a loss under way included", async () => {
  for (const [record, outcome] of [
    [[fake.KIND.released, 1, 1], "expired"],
    [[fake.KIND.released, 1, 2], "unknown"],
    [[fake.KIND.lost, 1, 1], "expired"],
  ]) {
    const { lock, feed } = await holding();
    const promise = lock.release();
    feed(record);
    assert.equal(await promise, outcome);
  }
});

test("extend and verify settle by their operation", async () => {
  const { lock, core, feed } = await holding();
  const operations = [
    lock.extend(500),
    lock.verify(),
    lock.verify(),
    lock.extend(),
    lock.extend(),
    lock.verify(),
  ];
  await settle();
  assert.deepEqual(
    core.calls.filter(([name]) => name === "extend"),
    [
      ["extend", 1, 500],
      ["extend", 1, 30_000],
      ["extend", 1, 30_000],
    ],
  );
  core.details.push("no answer");
  feed(
    [fake.KIND.extended, 2],
    [fake.KIND.verified, 3, 1],
    [fake.KIND.verified, 4, 0],
    fake.operationFailed(5, { code: fake.CODE.connection, node: 0 }),
    fake.operationFailed(6, { code: fake.CODE.lost }),
    fake.operationFailed(7, { code: fake.CODE.lost }),
  );
  const outcomes = (await Promise.allSettled(operations)).map(({ value, reason }) => reason?.code ?? value);
  assert.deepEqual(outcomes, [undefined, true, false, "LOCK_CONNECTION", "LOCK_LOST", false]);
  await assert.rejects(lock.extend(50), RangeError);
});

test("using releases always; its outcome is the body's, unless the lock was lost meanwhile", async () => {
  const { client, feed } = await connected();
  let id = 1;
  const run = async (body, last = fake.KIND.released, outcome = 0) => {
    const promise = client.using("k", {}, body);
    id += 1;
    feed([fake.KIND.granted, id, 0, 1, ...TOKEN]);
    await settle();
    let settled = false;
    promise
      .catch(() => {})
      .finally(() => {
        settled = true;
      });
    await settle();
    assert.equal(settled, false, "not before the release is over");
    feed([last, id, outcome]);
    return promise;
  };
  assert.equal(await run(() => 5), 5);
  assert.equal(await run(async () => 6, fake.KIND.released, 2), 6);
  for (const loss of [fake.LOSS.expired, fake.LOSS.gone]) {
    await assert.rejects(
      run(() => 7, fake.KIND.lost, loss),
      ({ code, keys, result }) => code === "LOCK_LOST" && keys[0] === "k" && result === 7,
    );
  }
  const broken = new Error("body");
  await assert.rejects(
    run(() => {
      throw broken;
    }),
    (error) => error === broken,
  );
  await assert.rejects(
    run(
      async () => {
        throw broken;
      },
      fake.KIND.released,
      2,
    ),
    (error) => error === broken,
  );
});
