// No password and no token in anything that could end up in a log, whatever fails.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { everythingShown } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { settles, until } from "../support/conditions.js";
import { startFakeServer } from "../support/fake-server.js";
import { freePort, startRedis } from "../support/redis.js";
import { createClient } from "../support/redlatch.js";

const PASSWORD = "canary-password-4711";
const TOKEN = "canary-token-0815";
const NAME = "canary-user";
const redis = await startRedis({ after }, { password: PASSWORD });
const ports = { open: redis.port };

/** The same canaries in every URL: right or wrong, they must not show. */
const url = (port, password = PASSWORD, user = "") =>
  `redis://${user}:${encodeURIComponent(password)}@127.0.0.1:${port}`;

function assertClean(value, what) {
  const shown = everythingShown(value);
  assert.doesNotMatch(shown, /canary-password/, `${what} shows the password`);
  assert.doesNotMatch(shown, /canary-token/, `${what} shows the token`);
}

async function errorOf(client, verb = "tryAcquire", options = {}) {
  const [result] = await settles(
    Promise.allSettled([client[verb](freshKey(), { token: TOKEN, ...options })]),
    5_000,
  );
  assert.equal(result.status, "rejected", "this was meant to fail");
  return result.reason;
}

const failures = {
  "wrong password": async (t) => errorOf(openClient(t, url(ports.open, `${PASSWORD}-wrong`))),
  "unknown user": async (t) => errorOf(openClient(t, url(ports.open, PASSWORD, NAME))),
  "nobody listens": async (t) => errorOf(openClient(t, url(await freePort()))),
  "host not found": async (t) =>
    errorOf(openClient(t, `redis://:${PASSWORD}@no-such-host.invalid`, { allowPlaintextAuth: true })),
  "a server that repeats what it was sent": async (t) => {
    const fake = await startFakeServer(
      t,
      (args) =>
        `-ERR unknown command, with args beginning with: ${args
          .map((arg) => `'${arg}'`)
          .join(" ")
          .replace(/[\r\n]+/g, " ")}\r\n`,
    );
    return errorOf(openClient(t, url(fake.port)));
  },
  "a server that repeats the password alone": async (t) => {
    const fake = await startFakeServer(t, () => `-WRONGPASS ${PASSWORD} is not it\r\n`);
    return errorOf(openClient(t, url(fake.port)));
  },
  "a server that says nonsense": async (t) => {
    const fake = await startFakeServer(t, (args) => `!!${args.join(" ")}\r\n`);
    return errorOf(openClient(t, url(fake.port)));
  },
  "an error reply to a script that repeats the token": async (t) => {
    const fake = await startFakeServer(t, (args) =>
      args[0] === "HELLO"
        ? "-ERR unknown command 'HELLO'\r\n"
        : args[0].startsWith("EVAL")
          ? `-ERR unknown command '${args[0]}', with args beginning with: ${args
              .slice(2)
              .map((arg) => `'${arg}'`)
              .join(" ")}\r\n`
          : "+OK\r\n",
    );
    return errorOf(openClient(t, url(fake.port)));
  },
  "wait is over": async (t) => {
    const client = openClient(t, url(ports.open));
    const key = freshKey();
    await client.acquire(key, { token: `${TOKEN}-holder` });
    const [result] = await Promise.allSettled([client.acquire(key, { token: TOKEN, wait: 50 })]);
    return result.reason;
  },
  lost: async (t) => {
    const lock = await openClient(t, url(ports.open)).acquire(freshKey(), { token: TOKEN, ttl: 100 });
    return until(() => lock.signal.aborted && lock.signal.reason);
  },
  "not ours": async (t) => {
    const lock = await openClient(t, url(ports.open)).acquire("stolen", { token: TOKEN });
    await redis.send("DEL", "lock:stolen");
    return lock.extend().then(
      () => assert.fail("extended"),
      (error) => error,
    );
  },
  closed: async (t) => {
    const client = openClient(t, url(ports.open));
    await client.close();
    return errorOf(client);
  },
  "a bad option beside a good token": async (t) =>
    errorOf(openClient(t, url(ports.open)), "acquire", { ttl: 1 }),
  "a bad token": async (t) => errorOf(openClient(t, url(ports.open)), "acquire", { token: [TOKEN] }),
  "an unknown option of the client": async () => {
    try {
      createClient({ url: url(ports.open), password: PASSWORD });
    } catch (error) {
      return error;
    }
    return assert.fail("accepted");
  },
  WRONGTYPE: async (t) => {
    await redis.send("RPUSH", "lock:a-list", "x");
    const [result] = await Promise.allSettled([
      openClient(t, url(ports.open)).tryAcquire("a-list", { token: TOKEN }),
    ]);
    return result.reason;
  },
};

for (const [what, fail] of Object.entries(failures)) {
  test(`the error of: ${what}`, async (t) => {
    const error = await fail(t);
    assert.ok(error instanceof Error, String(error));
    assertClean(error, "the error");
  });
}

test("a client and a lock, inspected", async (t) => {
  const client = openClient(t, url(ports.open));
  const lock = await client.acquire(freshKey());
  assertClean(client, "the client");
  assertClean(lock, "the lock");
  await lock.release();
});
