// A lock on several independent servers: a majority decides, and a minority may fail, forget or lag behind.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { assertLockError, NOT_OURS } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { aborted, rejection, settles, until } from "../support/conditions.js";
import { startProxy } from "../support/proxy.js";
import { nobody, startRedis } from "../support/redis.js";
import { ConnectionError, LockLostError, LockTimeoutError, QuorumError } from "../support/redlatch.js";
import { assertAllExpire, keysLeft, loadScripts } from "../support/server-state.js";

const servers = await Promise.all(Array.from({ length: 5 }, () => startRedis({ after })));
const three = servers.slice(0, 3);
const QUICK = { ttl: 10_000, wait: 10_000, retry: { min: 5, max: 40 }, nodeTimeout: 2_000 };
const [DOWN] = nobody;

/** A proxy before each of the servers. */
const proxied = (t, list) => Promise.all(list.map(({ port }) => startProxy(t, { host: "127.0.0.1", port })));
const owners = (list, key) => Promise.all(list.map((server) => server.send("GET", `lock:${key}`)));
/** A client that is connected to all of its servers, which know the scripts. */
async function readyClient(t, list, options = QUICK) {
  await Promise.all([...servers, ...list.filter(({ send }) => send)].map(loadScripts));
  const client = openClient(t, list, options);
  await (await client.acquire(freshKey())).release();
  await until(() => client.inspect().nodes.every(({ state }) => state === "ready"), {
    what: "all connections",
  });
  return client;
}
const gone = (list, key) =>
  until(async () => (await Promise.all(list.map((each) => keysLeft(each, `*${key}*`)))).flat().length === 0, {
    what: "the end of all keys",
  });

test("rule 2: a lock on three servers: held by all, without a fence, and free everywhere after release", async (t) => {
  const key = freshKey();
  const client = await readyClient(t, three);
  const lock = await client.acquire(key);
  assert.equal(lock.fence, null);
  assert.equal(JSON.parse(JSON.stringify(lock)).fence, null);
  assert.ok(lock.remaining > 8_000 && lock.remaining <= 10_000 - 102, `remaining ${lock.remaining}`);
  await until(async () => (await owners(three, key)).every((owner) => owner === lock.token));
  assert.equal(await openClient(t, three, QUICK).tryAcquire(key), null);
  assert.equal(await lock.verify(), true);
  await lock.extend(20_000);
  assert.ok(lock.remaining > 15_000);
  assert.equal(await lock.release(), "released");
  await gone(three, key);
  for (const server of three) await assertAllExpire(server);
});

for (const [what, upset] of [
  ["the connection was made after the vote was decided", async () => {}],
  [
    "NOSCRIPT came after the vote was decided",
    (client) => client.acquire(freshKey()).then((lock) => lock.release()),
  ],
]) {
  test(`rule 3: all servers are asked: a lock lands also where ${what}`, async (t) => {
    const key = freshKey();
    const [late] = await proxied(t, [three[2]]);
    const client = openClient(t, [three[0], three[1], late], QUICK);
    late.delay = 60;
    await upset(client);
    await pause(late.delay * 4);
    await three[2].send("SCRIPT", "FLUSH");
    const lock = await client.acquire(key);
    await until(async () => (await owners(three, key)).every((owner) => owner === lock.token), {
      what: "the lock on the third server",
    });
    await lock.release();
    await gone(three, key);
  });
}

test("rule 12: several keys on several servers: all or nothing", async (t) => {
  const client = openClient(t, three, QUICK);
  const [a, b, c] = [freshKey(), freshKey(), freshKey()];
  const lock = await client.acquire([a, b]);
  assert.equal(await client.tryAcquire([b, c]), null);
  await gone(three, c);
  assert.equal(await lock.release(), "released");
  const other = await client.acquire([c, b], { wait: 5_000 });
  await other.release();
});

test("rule 2: four clients on three servers never hold at once", { timeout: 30_000 }, async (t) => {
  const key = freshKey();
  let inside = 0;
  let meals = 0;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      const client = openClient(t, three, { ...QUICK, wait: 25_000 });
      for (let round = 0; round < 25; round += 1) {
        await client.using(key, async () => {
          inside += 1;
          assert.equal(inside, 1);
          await pause(1);
          inside -= 1;
          meals += 1;
        });
      }
    }),
  );
  assert.equal(meals, 100);
});

for (const rivals of [2, 3]) {
  test(`rule 2: a vote split between ${rivals} clients resolves`, { timeout: 30_000 }, async (t) => {
    const list = servers.slice(0, rivals === 2 ? 4 : 3);
    const key = freshKey();
    // Each sees its own share of the servers at once and the others late, so that each gets its share first.
    const clients = [];
    for (let rival = 0; rival < rivals; rival += 1) {
      const proxies = await proxied(t, list);
      proxies.forEach((proxy, at) => {
        if (at % rivals !== rival) proxy.requestDelay = 25;
      });
      clients.push(await readyClient(t, proxies, { ...QUICK, wait: 20_000 }));
    }
    let splits = 0;
    for (let round = 0; round < 5; round += 1) {
      let inside = 0;
      const all = Promise.all(
        clients.map(async (client) => {
          const lock = await client.acquire(key);
          inside += 1;
          assert.equal(inside, 1);
          await pause(2);
          inside -= 1;
          assert.equal(await lock.release(), "released");
        }),
      );
      await until(
        async () => {
          const seen = new Set((await owners(list, key)).filter((owner) => owner !== null));
          if (seen.size === rivals) splits += 1;
          return seen.size > 0;
        },
        { every: 1 },
      );
      await pause(15);
      if (new Set((await owners(list, key)).filter((owner) => owner !== null)).size > 1) splits += 1;
      await settles(all, 15_000, "the split vote");
    }
    assert.ok(splits > 0, "votes were split");
    await gone(list, key);
  });
}

test("rule 2: a server that restarts empty gives nobody a second lock", async (t) => {
  const forgetful = await startRedis(t);
  const list = [servers[0], servers[1], forgetful];
  const key = freshKey();
  const lock = await (await readyClient(t, list)).acquire(key, { ttl: 6_000, renew: true });
  await until(async () => (await owners(list, key)).every((owner) => owner === lock.token));
  await forgetful.stop();
  const again = await startRedis(t, { port: forgetful.port, folder: forgetful.folder });
  const rival = openClient(t, list, QUICK);
  assert.equal(await rival.tryAcquire(key), null);
  assert.ok((await rejection(rival.acquire(key, { wait: 1_000 }))) instanceof LockTimeoutError);
  assert.equal(lock.held, true);
  assert.equal(await lock.verify(), true);
  await lock.extend(10_000);
  assert.equal(lock.signal.aborted, false);
  assert.equal(await lock.release(), "released");
  await gone([servers[0], servers[1], again], key);
});

test("rule 5: two of three servers that forget are a loss: the lock is lost at the next renewal", async (t) => {
  const key = freshKey();
  const client = await readyClient(t, three);
  const lock = await client.acquire(key, { ttl: 3_000, renew: true });
  await Promise.all([0, 1].map((server) => servers[server].send("DEL", `lock:${key}`)));
  await settles(aborted(lock.signal), 5_000, "the loss");
  assert.ok(lock.signal.reason instanceof LockLostError);
  assert.match(lock.signal.reason.message, NOT_OURS, "not that its lease is over");
  assert.equal(lock.held, false);
  await gone(three, key);
});

test("rule 5: servers that forget one after the other do not lose a renewed Redlock", async (t) => {
  const key = freshKey();
  const client = await readyClient(t, three);
  const lock = await client.acquire(key, { ttl: 1_500, renew: true });
  for (const server of [...three, ...three]) {
    await server.send("DEL", `lock:${key}`);
    const taken = async () => (await server.send("GET", `lock:${key}`)) === lock.token;
    await until(taken, { what: "the vote that is taken back" });
    assert.equal(lock.held, true);
  }
  assert.equal(await lock.release(), "released");
  await gone(three, key);
});

for (const count of [2, 3]) {
  test(`rule 3: a reply lost after the SET, ${count} servers: no orphan, and the lock is acquired`, async (t) => {
    const key = freshKey();
    const proxies = await proxied(t, servers.slice(0, count));
    const client = await readyClient(t, proxies, { ...QUICK, nodeTimeout: 100 });
    let lost = 0;
    proxies[0].onFrame = (frame) => {
      if (lost > 0) return [frame];
      lost += 1;
      return [];
    };
    const lock = await settles(client.acquire(key), 5_000, "the lock");
    assert.equal(lock.held, true);
    await until(() => lost === 1, { what: "the lost reply" });
    const holding = (await owners(servers.slice(0, count), key)).filter((owner) => owner === lock.token);
    assert.ok(holding.length >= Math.floor(count / 2) + 1);
    await lock.release();
    await gone(servers.slice(0, count), key);
  });
}

test("rule 1: validity counts from the winning attempt's sending, not from replies and not from earlier attempts", async (t) => {
  const key = freshKey();
  const proxies = await proxied(t, three);
  const client = await readyClient(t, proxies);
  const started = performance.now();
  const blocker = await openClient(t, three, QUICK).acquire(key, { ttl: 3_000 });
  for (const proxy of proxies) proxy.delay = 250;
  const lock = await client.acquire(key, { ttl: 30_000 });
  const { remaining } = lock;
  const granted = performance.now();
  assert.equal(blocker.held, false);
  // At least one answer's time is gone, and what went into earlier attempts is not.
  assert.ok(remaining <= 30_000 - 302 - 245, `remaining ${remaining}`);
  assert.ok(remaining > 30_000 - 302 - 2_000, `remaining ${remaining}`);
  assert.ok(granted - started > 2_900, `the lock was acquired after ${granted - started} ms`);
  const left = await Promise.all(three.map((server) => server.send("PTTL", `lock:${key}`)));
  assert.ok(lock.remaining <= Math.max(...left), `remaining ${lock.remaining}, but servers say ${left}`);
  for (const proxy of proxies) proxy.delay = 0;
  await lock.release();
});

test("QuorumError has a vote for each server, in their order, each with its own outcome", async (t) => {
  const key = freshKey();
  const guarded = await startRedis(t, { password: "pw" });
  await servers[0].send("SET", `lock:${key}`, "another", "PX", 60_000);
  const list = [servers[0], servers[1], DOWN, `redis://127.0.0.1:${guarded.port}`];
  const client = openClient(t, list, QUICK);
  for (const verb of ["acquire", "tryAcquire"]) {
    const error = await rejection(client[verb](key, { wait: 0 }));
    assertLockError(error, { type: QuorumError, code: "LOCK_QUORUM", says: [/major|quorum/i, /4/] });
    assert.deepEqual(
      error.votes.map(({ node }) => node.replace(/.*:/, "")),
      [servers[0], servers[1], DOWN, guarded].map(({ port }) => String(port)),
    );
    // With two out of reach a majority of three is impossible: the others' answers may not have been waited for.
    assert.match(error.votes[0].outcome, /^(held|undecided)$/);
    assert.match(error.votes[1].outcome, /^(granted|undecided)$/);
    assert.deepEqual(
      error.votes.slice(2).map(({ outcome }) => outcome),
      ["failed", "failed"],
    );
    assertLockError(error.votes[2].error, {
      type: ConnectionError,
      code: "LOCK_CONNECTION",
      port: DOWN.port,
    });
    // So is it with the third that fails: its own reason is there when it came before the decision.
    assert.match(String(error.votes[3].error.prefix), /^(NOAUTH|undefined)$/);
  }
  const refusing = openClient(t, list.slice(3).concat(list.slice(0, 1)), QUICK);
  // When the other one answers first, that decides: null.
  const failure = () =>
    refusing.tryAcquire(key).then(
      () => undefined,
      (error) => error,
    );
  await until(async () => (await failure())?.votes[0].error?.prefix === "NOAUTH", {
    what: "the refusing server's own words",
  });
  await until(async () => (await servers[1].send("EXISTS", `lock:${key}`)) === 0, { what: "no residue" });
  await servers[0].send("DEL", `lock:${key}`);
});

test("a QuorumError blames the servers that failed, and not one that was not waited for", async (t) => {
  const client = openClient(t, [servers[0], ...nobody.slice(0, 2)], QUICK);
  const error = await rejection(client.tryAcquire(freshKey()));
  assertLockError(error, {
    type: QuorumError,
    code: "LOCK_QUORUM",
    says: [/\b0 held by another, 2 failed\b/],
  });
  // The first server has answered, or the others were quicker: then its vote is undecided, and no error.
  assert.match(error.message, /: (1 granted, .* 2 failed|0 granted, .* 2 failed, 1 undecided)$/);
  assert.match(error.votes[0].outcome, /^(granted|undecided)$/);
  assert.equal("error" in error.votes[0], false);
  assert.equal(error.cause, error.votes[1].error);
  assert.equal(error.cause.cause.code, "ECONNREFUSED");
});

test("a minority that is down is observed as degraded, and the lock is acquired", async (t) => {
  const events = [];
  const client = openClient(t, [...three.slice(0, 2), DOWN], {
    ...QUICK,
    observe: (event) => events.push(event),
  });
  const key = freshKey();
  const lock = await client.acquire(key);
  // The first vote may be decided before the third server is known to be down; the renewal's is not.
  await lock.extend();
  assert.ok(
    events.some(({ type }) => type === "degraded"),
    JSON.stringify(events.map(({ type }) => type)),
  );
  const { missing } = events.find(({ type }) => type === "degraded");
  assert.equal(missing, 1);
  await lock.release();
});

test("with one server in `nodes` the word quorum never appears", async (t) => {
  const error = await rejection(openClient(t, [DOWN], QUICK).acquire("k", { wait: 0 }));
  assert.ok(error instanceof ConnectionError);
  assert.doesNotMatch(error.message, /quorum|majority/i);
});
