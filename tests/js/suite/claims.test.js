// The application's own tokens, used again: commands of an earlier use that were given up, and run late.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startRedis } from "../support/redis.js";
import { sourceOf } from "../support/server-state.js";

const redis = await startRedis({ after });

const derived = (key, names) => names.map((name) => `{${key}}:redlatch:${name}:${key}`);

/** The scripts of one kind, called directly with a claim; resolve to [granted, fence or hint], and to how many were freed. */
const KINDS = {
  exclusive: {
    keys: (key) => [key, ...derived(key, ["fence", "waiters"])],
    acquire: (claim, lease) => [lease, "", 0, claim],
  },
  fair: {
    keys: (key) => [key, ...derived(key, ["fence", "queue", "places"])],
    acquire: (claim, lease) => [lease, "c:99", 1_000, 0, claim],
  },
};

for (const [kind, { keys, acquire: asked }] of Object.entries(KINDS)) {
  const run = async (verb, key, ...rest) => {
    const names = keys(key);
    return (
      await redis.send("EVAL", sourceOf(`${kind}_${verb}`), names.length, ...names, "n", "token", ...rest)
    ).slice(1);
  };
  const acquire = (key, claim, lease = 20_000) => run("acquire", key, ...asked(claim, lease));
  const release = async (key, claim) => (await run("release", key, "", claim))[0];
  const owner = (key) => redis.send("GET", key);

  test(`a release that runs late does not free what was taken under the same token since (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "c:9");
    assert.equal(await release(key, "c:9"), 1);
    await acquire(key, "c:10");
    assert.equal(await release(key, "c:9"), 0);
    assert.equal(await owner(key), "token");
    assert.equal(await release(key, "c:10"), 1);
  });

  test(`an acquire that runs late takes no claim over, so that its release frees nothing either (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "c:10");
    const [granted, hint] = await acquire(key, "c:9");
    assert.equal(granted, 0);
    assert.ok(hint > 19_000, "as if another held it");
    assert.equal(await release(key, "c:9"), 0);
    assert.equal(await owner(key), "token");
  });

  test(`what a late acquire left behind is taken over: same fence, new claim (${kind})`, async () => {
    const key = freshKey();
    const [, fence] = await acquire(key, "c:9");
    assert.deepEqual(await acquire(key, "c:10"), [1, fence]);
    assert.equal(await release(key, "c:9"), 0);
    // Another process with the same token, such as the same one after a crash.
    assert.deepEqual(await acquire(key, "d:1"), [1, fence]);
    assert.equal(await release(key, "c:10"), 0);
    assert.equal(await release(key, "d:1"), 1);
  });

  test(`an acquire without a claim, which runs late, leaves the claim of the adopter (${kind})`, async () => {
    const key = freshKey();
    const [, fence] = await acquire(key, "");
    await redis.send("EVAL", sourceOf("extend"), 2, ...keys(key).slice(0, 2), "n", "token", 20_000, "d:1");
    assert.deepEqual(await acquire(key, ""), [1, fence]);
    assert.equal(await release(key, "c:1"), 0);
    assert.equal(await release(key, "d:1"), 1);
    await acquire(key, "");
    assert.equal(await release(key, "c:2"), 1, "a new lock has no claim");
  });

  test(`a release that finds no claim frees what the token holds (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "");
    assert.equal(await release(key, "c:2"), 1);
    await acquire(key, "c:3");
    await redis.send("DEL", keys(key)[1]);
    assert.equal(await release(key, "c:3"), 1, "the counter, with the claim, was lost");
  });

  test(`fences grow past claims (${kind})`, async () => {
    const key = freshKey();
    await redis.send("SET", keys(key)[1], "9007199254740000 c:5", "PX", 60_000);
    assert.deepEqual(await acquire(key, "c:6"), [1, "9007199254740001"]);
    await release(key, "c:6");
    assert.deepEqual(await acquire(key, ""), [1, "9007199254740002"]);
    assert.equal(await redis.send("GET", keys(key)[1]), "9007199254740002");
  });
}

test("a client's release, kept back until its token was used again, does not free the lock", async (t) => {
  const key = freshKey();
  const options = { token: "mine", ttl: 20_000 };
  const client = openClient(t, redis);
  const names = KINDS.exclusive.keys(`lock:${key}`);
  const first = await client.acquire(key, options);
  const kept = await redis.send("GET", names[1]);
  assert.match(kept, new RegExp(`^${first.fence} [0-9a-f]+:\\d+$`));
  await first.release();
  const second = await client.acquire(key, options);
  // The same bytes once more, as from the buffer of a dead connection.
  const late = [sourceOf("exclusive_release"), names.length, ...names, "n", "mine", "", kept.split(" ")[1]];
  assert.deepEqual(await redis.send("EVAL", ...late), ["n", 0]);
  assert.equal(await second.verify(), true);
  assert.equal(await second.release(), "released");
});
