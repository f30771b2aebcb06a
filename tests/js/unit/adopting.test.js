import assert from "node:assert/strict";
import { test } from "node:test";
import { LockLostError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { connected } from "./support/harness.js";

/** The fence of the handle, as two words. */
const FENCE = [0xffffffff, 0xffffffff];
const handle = { keys: ["b", "a"], token: "t", fair: true, fence: "18446744073709551615", ttl: 5000 };

test("an adopted lock is what its handle says, which survives JSON", async () => {
  const { client, core, feed } = await connected();
  const promise = client.adopt(JSON.parse(JSON.stringify(handle)));
  assert.equal(core.calls.findLast(([name]) => name === "acquire")[1].fence, 2n ** 64n - 1n);
  feed([fake.KIND.granted, 2, ...FENCE]);
  const lock = await promise;
  assert.deepEqual(lock.toJSON(), handle);
  assert.equal(lock.fence, 2n ** 64n - 1n);
  assert.equal(lock.held, true);
});

test("adopt with another lease: the handle that the lock gives has it", async () => {
  const { client, feed } = await connected();
  const promise = client.adopt(handle, { ttl: 200 });
  feed([fake.KIND.granted, 2]);
  assert.equal((await promise).toJSON().ttl, 200);
});

test("a lock that is no longer held under its token is not adopted", async () => {
  const { client, core, feed } = await connected();
  const promise = client.adopt(handle);
  core.details.push("the server says that the lock is no longer ours");
  feed(fake.failed(2, { code: fake.CODE.lost, attempts: 1 }));
  await assert.rejects(promise, LockLostError);
});

test("adopt can be aborted, before and after it is sent", async () => {
  const { client, core } = await connected();
  const reason = new Error("enough");
  const controller = new AbortController();
  const promise = client.adopt(handle, { signal: controller.signal });
  controller.abort(reason);
  await assert.rejects(promise, (error) => error === reason);
  await assert.rejects(client.adopt(handle, { signal: controller.signal }), (error) => error === reason);
  assert.deepEqual([core.count("acquire"), core.count("cancel")], [2, 1]);
});

test("a handle without a fence gives a lock without one", async () => {
  const { client, core, feed } = await connected();
  const promise = client.adopt({ ...handle, fence: null });
  assert.equal(core.calls.findLast(([name]) => name === "acquire")[1].fence, 0n);
  feed([fake.KIND.granted, 2]);
  const lock = await promise;
  assert.equal(lock.fence, null);
  assert.equal(lock.toJSON().fence, null);
});

test("a fence that no server can have given is refused", async () => {
  const { client } = await connected();
  const adopting = client.adopt({ ...handle, fence: "18446744073709551616" });
  await assert.rejects(adopting, /^TypeError: adopt: handle\.fence must be less than 2\^64/);
});
