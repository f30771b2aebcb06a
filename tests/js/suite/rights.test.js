// What a user may do on a server with ACLs: the README's line suffices, for any prefix, and nothing in it is too much.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, settles, until } from "../support/conditions.js";
import { startRedis } from "../support/redis.js";
import { NEEDED, neededFor } from "../support/rights.js";
import { assertAllExpire, derivedKey, queueOf } from "../support/server-state.js";

const redis = await startRedis({ after });
const OFTEN = { retry: { min: 5, max: 20 }, nodeTimeout: 500 };
/** These do not poll within 4 s: waiters with wake-ups poll after one to four times `retry.max`. */
const RARELY = { retry: { min: 2_000, max: 4_000 }, ttl: 60_000, wait: 60_000 };

let users = 0;
/** The URL of a new user, who has these rights and no others. */
async function login(rights) {
  users += 1;
  await redis.send("ACL", "SETUSER", `user${users}`, "on", ">pw", ...rights);
  return `redis://user${users}:pw@127.0.0.1:${redis.port}/1`;
}

/** For how many locks these clients have had to wait. */
const contended = (...clients) =>
  clients.reduce((sum, client) => sum + client.inspect().counters.contended, 0);

/** Everything that a lock does on one server, with clients of `url`. */
async function doEverything(t, url, options) {
  const [mine, other] = [
    openClient(t, url, { ...RARELY, ...options }),
    openClient(t, url, { ...RARELY, ...options }),
  ];
  for (const fair of [false, true]) {
    for (const names of [[freshKey()], [freshKey(), freshKey("}{")]]) {
      const lock = await mine.acquire(names, { fair, wait: 0 });
      assert.equal(await other.tryAcquire(names, { fair }), null);
      await lock.extend();
      assert.equal(await lock.verify(), true);
      const heir = await other.adopt(JSON.parse(JSON.stringify(lock)));
      const waiting = contended(mine, other);
      const turns = [mine, mine, other].map(async (client) => {
        const turn = await client.acquire(names[0], { fair });
        assert.equal(await turn.release(), "released");
      });
      await until(() => contended(mine, other) === waiting + 3, { what: "the first attempts" });
      assert.equal(await heir.release(), "released");
      await settles(Promise.all(turns), 3_500, "the wake-ups");
      const own = await mine.acquire(names, { fair, token: "job 17" });
      const again = await mine.acquire(names, { fair, token: "job 17" });
      for (const each of [own, again]) assert.equal(await each.release(), "released");
    }
  }
  assert.equal(mine.inspect().nodes[0].wakes, true);
}

for (const prefix of ["app:lock:", "app:", "app:{tag}:", "app:{", "app:redlatch:"]) {
  test(`rule 13: with the prefix ${prefix} a user needs no keys and channels but ~app:* and &app:*`, async (t) => {
    await doEverything(t, await login(neededFor("app:")), { prefix });
    const names = await redis.send("KEYS", "*");
    assert.deepEqual(
      names.filter((name) => !name.startsWith("app:")),
      [],
    );
  });
}

test("rule 13: a prefix that the user may not use: NOPERM at once, and no waiting for it", async (t) => {
  const url = await login(neededFor("app:"));
  for (const fair of [false, true]) {
    const error = await rejection(openClient(t, url, { prefix: "other:" }).acquire(freshKey(), { fair }));
    assert.equal(error.prefix, "NOPERM");
  }
});

/** What only matters when the server reads its append-only file (limits.test.js). */
const ELSEWHERE = ["+pexpireat"];
/** Without these, everything is granted, but waiters poll. */
const ONLY_WAKING = ["+subscribe", "+publish"];
const commands = NEEDED.filter((right) => right.startsWith("+"));

for (const right of commands.filter((each) => !ELSEWHERE.includes(each))) {
  test(`rule 13: without ${right} something is refused, and what is refused changes nothing`, async (t) => {
    await redis.send("FLUSHALL");
    const db = await redis.connect();
    await db.send("SELECT", 1);
    const withAll = openClient(t, await login(NEEDED), OFTEN);
    const without = openClient(t, await login([...NEEDED, right.replace("+", "-")]), OFTEN);
    const refused = [];
    /** Resolves to the result of `call`; if it is refused, the lock keys are as before, once the client has cleaned up. */
    const attempt = async (what, names, call) => {
      const values = () => db.send("MGET", ...names.map((name) => `lock:${name}`));
      const before = await values();
      try {
        return await call();
      } catch (error) {
        if (error.code === "LOCK_TIMEOUT") return null;
        refused.push(`${what}: ${error}`);
        await until(async () => isDeepStrictEqual(await values(), before), {
          within: 1_000,
          what: `${what}, ${error}: from ${await values()} back to ${before}`,
        });
        return null;
      }
    };
    for (const fair of [false, true]) {
      for (const names of [[freshKey()], [freshKey(), freshKey()]]) {
        for (const [token, counter] of [[], ["mine"], [undefined, "none"]]) {
          const what = (verb) => `${verb}, ${names.length} keys, fair: ${fair}, token: ${token}`;
          await redis.send("SCRIPT", "FLUSH");
          await db.send("FLUSHDB");
          if (counter !== "none")
            await db.send("SET", "lock:redlatch:fence", "1800000000000000", "PX", 60_000);

          const lock = await attempt(what("acquire"), names, () =>
            without.acquire(names, { fair, token, wait: 0 }),
          );
          if (lock !== null) {
            await attempt(what("extend"), names, () => lock.extend());
            await attempt(what("verify"), names, () => lock.verify());
            const waiting = withAll.acquire(names, { fair });
            await until(() => withAll.inspect().waiters.length === 1);
            // What is refused is not "released".
            const outcome = await lock.release();
            if (outcome !== "released") refused.push(what("release"));
            await db.send("DEL", ...names.map((name) => `lock:${name}`));
            await (await settles(waiting, 5_000)).release();
          }

          await db.send("DEL", ...names.map(queueOf));
          const held = await withAll.acquire(names, { fair, token });
          const second = withAll.acquire(names, { fair });
          await until(() => withAll.inspect().waiters.length === 1);
          await attempt(what("wait"), names, () => without.acquire(names, { fair, wait: 100 }));
          await (await attempt(what("adopt"), names, () => without.adopt(held.toJSON())))?.release();
          // A waiter that may not leave the queue is taken for dead.
          for (const name of names)
            await db.send("DEL", `lock:${name}`, derivedKey("places", `lock:${name}`, "lock:"));
          await (await settles(second, 5_000)).release();
          // Where the token is that of a lock already.
          const other = await withAll.acquire(names, { fair, token: "other" });
          const taken = await attempt(what("take over"), names, () =>
            without.acquire(names, { fair, token: "other", wait: 0 }),
          );
          await taken?.release();
          await other.release();
        }
      }
    }
    assert.equal(refused.length > 0, !ONLY_WAKING.includes(right), `whether the right is needed: ${refused}`);
    if (right === "+subscribe") assert.equal(without.inspect().nodes[0].wakes, false);
    await assertAllExpire(db);
  });
}
