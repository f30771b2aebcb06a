// Credentials for which the application is asked at each connect.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError, everythingShown } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection, until } from "../support/conditions.js";
import { startFakeServer } from "../support/fake-server.js";
import { startRedis } from "../support/redis.js";
import { ConnectionError, createClient, ServerError } from "../support/redlatch.js";

const redis = await startRedis({ after }, { password: "of-the-default-user" });
const unhandled = [];
process.on("unhandledRejection", (error) => unhandled.push(error));
const at = (login) => `redis://${login}127.0.0.1:${redis.port}`;
const setPassword = (password) =>
  redis.send("ACL", "SETUSER", "token", "resetpass", "on", `>${password}`, "~*", "&*", "+@all");

test("a token that changes is asked for at each connect, in place of the URL's password", async (t) => {
  let asked = 0;
  const credentials = async () => {
    asked += 1;
    return { username: "token", password: `canary-${asked}` };
  };
  await setPassword("canary-1");
  const client = openClient(t, at("nobody:of-the-url@"), { credentials, retry: { min: 5, max: 20 } });
  const lock = await client.acquire(freshKey(), { ttl: 5_000, renew: true });
  await setPassword("canary-2");
  await redis.send("CLIENT", "KILL", "USER", "token");
  const renewed = client.inspect().counters.renewed;
  await until(() => client.inspect().counters.renewed > renewed);
  assert.equal(lock.held, true);
  assert.equal(await lock.release(), "released");
  assert.equal(asked, 2);
  await redis.send("CLIENT", "KILL", "USER", "token");
  await setPassword("another");
  const error = await rejection(client.acquire(freshKey()));
  assertLockError(error, { type: ServerError, code: "LOCK_SERVER", prefix: "WRONGPASS", port: redis.port });
  assert.doesNotMatch(everythingShown(error), /canary/);
});

test("what the function throws is the cause of a ConnectionError, and its text is not repeated", async (t) => {
  const failure = new RangeError("no token for canary");
  for (const credentials of [
    () => {
      throw failure;
    },
    () => Promise.reject(failure),
  ]) {
    const events = [];
    const client = openClient(t, at(""), { credentials, observe: (event) => events.push(event) });
    const error = await rejection(client.tryAcquire(freshKey()));
    const [{ reason, error: data }] = events;
    const { fault } = client.inspect().nodes[0];
    for (const text of [reason, data.message, fault.message, error.message]) {
      assert.match(text, /the credentials function failed with RangeError$/);
    }
    assert.doesNotMatch(everythingShown([events, fault]), /canary/);
    assertLockError(error, {
      type: ConnectionError,
      code: "LOCK_CONNECTION",
      port: redis.port,
      says: [/credentials/],
    });
    assert.equal(error.cause, failure);
    assert.doesNotMatch(error.message, /canary/);
  }
});

test("a value that is not a login is refused, and not shown", async (t) => {
  for (const given of [
    undefined,
    null,
    "canary",
    7,
    {},
    { password: 7 },
    { username: 1, password: "canary" },
  ]) {
    const client = openClient(t, at(""), { credentials: () => given });
    const error = await rejection(client.tryAcquire(freshKey()));
    assert.match(client.inspect().nodes[0].fault.message, /credentials must return/);
    assert.ok(error instanceof ConnectionError, String(error));
    assert.ok(error.cause instanceof TypeError);
    assert.match(error.cause.message, /credentials must return/);
    assert.doesNotMatch(everythingShown(error), /canary/);
  }
});

test("a promise that never settles is waited for no longer than connectTimeout; a late answer makes no connection", async (t) => {
  const peer = await startFakeServer(t, () => "+OK\r\n");
  let answer;
  const credentials = () =>
    new Promise((resolve) => {
      answer = resolve;
    });
  const client = openClient(t, peer, { credentials, connectTimeout: 100 });
  const error = await rejection(client.tryAcquire(freshKey()));
  assertLockError(error, {
    type: ConnectionError,
    code: "LOCK_CONNECTION",
    port: peer.port,
    says: [/connectTimeout/, /credentials/],
  });
  answer({ password: "canary" });
  await client.close();
  assert.equal(peer.connections, 0);
});

test("credentials are not sent in plaintext to another machine, nor for a client that logs in itself", () => {
  const credentials = () => ({ password: "canary" });
  assert.throws(() => createClient({ url: "redis://db.example", credentials }), /plaintext/);
  createClient({ url: "rediss://db.example", credentials });
  createClient({ url: "redis://db.example", credentials, allowPlaintextAuth: true });
  const transport = { carrier: "commands", connect: () => Promise.reject(new Error("not reached")) };
  assert.throws(() => createClient({ transport, credentials }), /belong to the client/);
  for (const wrong of [null, "canary", { password: "canary" }]) {
    assert.throws(
      () => createClient({ url: "redis://127.0.0.1", credentials: wrong }),
      (error) => error instanceof TypeError && /credentials must be a function/.test(error.message),
    );
  }
});

test("nothing was left unhandled", () => assert.deepEqual(unhandled, []));
