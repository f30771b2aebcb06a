import assert from "node:assert/strict";
import { mock, test } from "node:test";

const load = async (query) => (await import(`../../../pkg/dist/options/clock.js?${query}`)).systemClock;

test("the clock is the one that there was when the package was loaded", async (t) => {
  const clock = await load("before");
  mock.timers.enable({ now: 0 });
  t.after(() => mock.timers.reset());
  assert.ok(clock.wall() > 1_700_000_000_000);
  const before = clock.now();
  await new Promise((resolve) => clock.setTimeout(resolve, 5));
  assert.ok(clock.now() > before);
});

test("fake timers that were there before are followed, and so is what comes after them", async (t) => {
  const { setTimeout } = globalThis;
  t.after(() => Object.assign(globalThis, { setTimeout }));
  const set = [];
  globalThis.setTimeout = Object.assign((_, delay) => set.push(delay), { clock: {} });
  const clock = await load("after");
  clock.setTimeout(() => {}, 5);
  assert.deepEqual(set, [5]);
  globalThis.setTimeout = setTimeout;
  await new Promise((resolve) => clock.setTimeout(resolve, 1));
});
