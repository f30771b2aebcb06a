// The application's own tokens, used again: commands of an earlier use that were given up, and run late.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startRedis } from "../support/redis.js";
import { derivedKey, sourceOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const COUNTER = "redlatch:fence";

/** The scripts of one kind, called directly with what the lock key is to hold: a token, and a claim if there is one. */
const KINDS = {
  exclusive: {
    keys: (key) => [key, derivedKey("waiters", key)],
    acquire: (value, lease) => ["exclusive_acquire", lease, 1_000, value, "c:99"],
  },
  multi: {
    keys: (key) => [key, derivedKey("waiters", key)],
    acquire: (value, lease) => ["multi_acquire", 1, lease, 1_000, value, "c:99"],
    release: "exclusive_release",
  },
  fair: {
    keys: (key) => [key, ...["queue", "places"].map((role) => derivedKey(role, key))],
    acquire: (value, lease) => ["fair_acquire", lease, value, "c:99", 1_000, 0],
  },
};

async function run(script, keys, ...args) {
  const [nonce, result] = await redis.send("EVAL", sourceOf(script), keys.length, ...keys, "n", ...args);
  assert.equal(nonce, "n");
  return result;
}

for (const [kind, { keys, acquire: asked, release: script = `${kind}_release` }] of Object.entries(KINDS)) {
  /** Resolves to the fence, or to the hint as a number that is not positive. */
  const acquire = (key, value, lease = 20_000) => {
    const [name, ...args] = asked(value, lease);
    return run(name, [...keys(key), COUNTER], ...args);
  };
  const release = (key, value) => run(script, keys(key), "", value);
  const adopt = (key, token, claim) => run("adopt", [key], 20_000, token, claim);
  const owner = (key) => redis.send("GET", key);

  test(`a release that runs late does not free what was taken under the same token since (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "token c:9");
    assert.equal(await release(key, "token c:9"), 1);
    await acquire(key, "token c:10");
    assert.equal(await release(key, "token c:9"), 0);
    assert.equal(await owner(key), "token c:10");
    assert.equal(await release(key, "token c:10"), 1);
  });

  test(`an acquire that runs late takes no claim over, so that its release frees nothing either (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "token c:10");
    assert.ok((await acquire(key, "token c:9")) < -19_000, "as if another held it");
    assert.equal(await release(key, "token c:9"), 0);
    assert.equal(await owner(key), "token c:10");
  });

  test(`what a late acquire left behind is taken over: new claim, larger fence (${kind})`, async () => {
    const key = freshKey();
    const fences = [await acquire(key, "token c:9"), await acquire(key, "token c:10")];
    assert.equal(await release(key, "token c:9"), 0);
    // Another process with the same token, such as the same one after a crash.
    fences.push(await acquire(key, "token d:1"));
    assert.ok(fences[0] > 0 && fences[0] < fences[1] && fences[1] < fences[2], fences.join(" "));
    assert.equal(await release(key, "token c:10"), 0);
    assert.equal(await release(key, "token d:1"), 1);
  });

  test(`an acquire that is repeated keeps its claim, and shortens no lease (${kind})`, async () => {
    for (const value of ["token", "token c:9"]) {
      const key = freshKey();
      const first = await acquire(key, value, 50_000);
      const second = await acquire(key, value, 100);
      assert.ok(second > first, "a fence of its own");
      assert.equal(await owner(key), value);
      assert.ok((await redis.send("PTTL", key)) > 40_000);
      assert.equal(await release(key, value), 1);
    }
  });

  test(`an acquire without a claim, which runs late, leaves the claim of the adopter (${kind})`, async () => {
    const key = freshKey();
    assert.ok((await acquire(key, "token")) > 0);
    assert.equal(await adopt(key, "token", "d:1"), 1);
    assert.ok((await acquire(key, "token")) < -19_000, "as if another held it");
    assert.equal(await release(key, "token"), 0);
    assert.equal(await owner(key), "token d:1");
    assert.equal(await release(key, "token d:1"), 1);
  });

  test(`an adoption that runs late takes nothing from the next adopter, nor from the same client (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "token");
    assert.equal(await adopt(key, "token", "d:2"), 1);
    assert.equal(await adopt(key, "token", "d:1"), 0, "a newer claim of the same client");
    assert.equal(await owner(key), "token d:2");
    assert.equal(await adopt(key, "token", "e:1"), 1, "another process adopts from the adopter");
    assert.equal(await adopt(key, "other", "e:2"), 0);
    assert.equal(await release(key, "token d:2"), 0);
    assert.equal(await owner(key), "token e:1");
  });

  test(`a token with blanks and digits is not mistaken for another with a claim (${kind})`, async () => {
    const key = freshKey();
    await acquire(key, "job 7 c:1 c:5");
    for (const other of ["job 7 c:6", "job c:6", "7 c:1 c:6", "job 7 c:1 x c:6"])
      assert.ok((await acquire(key, other)) < 0, other);
    assert.ok((await acquire(key, "job 7 c:1 c:6")) > 0);
    assert.equal(await owner(key), "job 7 c:1 c:6");
  });

  test(`fences grow past claims, and past the loss of the counter (${kind})`, async () => {
    const key = freshKey();
    await redis.send("SET", COUNTER, "9007199254740000", "PX", 60_000);
    assert.equal(await acquire(key, "token c:6"), 9007199254740001);
    await release(key, "token c:6");
    assert.equal(await acquire(key, "token"), 9007199254740002);
    assert.equal(await redis.send("GET", COUNTER), "9007199254740002");
    await redis.send("DEL", COUNTER);
    assert.equal(await release(key, "token"), 1, "the counter was lost");
    assert.equal(await redis.send("EXISTS", COUNTER), 0, "a release looks at no counter");
  });
}

test("a client's release, kept back until its token was used again, does not free the lock", async (t) => {
  const key = freshKey();
  const options = { token: "mine", ttl: 20_000 };
  const client = openClient(t, redis);
  const first = await client.acquire(key, options);
  const kept = await redis.send("GET", `lock:${key}`);
  assert.match(kept, /^mine [0-9a-f]{16}:\d+$/);
  await first.release();
  const second = await client.acquire(key, options);
  assert.ok(second.fence > first.fence);
  // The same bytes once more, as from the buffer of a dead connection.
  const names = [`lock:${key}`, derivedKey("waiters", `lock:${key}`, "lock:")];
  assert.equal(await run("exclusive_release", names, "", kept), 0);
  assert.equal(await second.verify(), true);
  assert.equal(await second.release(), "released");
});
