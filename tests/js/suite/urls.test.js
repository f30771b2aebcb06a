// Every form of URL reaches the server it names, as the user it names, in the database it names.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { freePort, hasIPv6, startRedis } from "../support/redis.js";

const redis = await startRedis({ after }, { config: { unixsocket: "redis.sock", databases: 20 } });
const CLIENT_LIST = ["CLIENT", "LIST"];

/** Takes a lock through `url` and returns the server's own line about the connection that did. */
async function seenByServer(t, url, server = redis, options = {}) {
  const key = freshKey();
  const lock = await openClient(t, url, options).acquire(key, { wait: 0 });
  const lines = (await server.send(...CLIENT_LIST)).split("\n").filter((line) => /cmd=eval/.test(line));
  assert.equal(await lock.release(), "released");
  assert.ok(lines.length > 0, "the server sees the connection");
  return lines.at(-1);
}

test("a database", async (t) => {
  for (const database of [0, 7, 19]) {
    assert.match(await seenByServer(t, `${redis.url}/${database}`), new RegExp(`\\bdb=${database}\\b`));
  }
  assert.match(await seenByServer(t, `${redis.url}/`), /\bdb=0\b/);
});

test("the connection has a name that tells an operator which program it belongs to", async (t) => {
  assert.match(await seenByServer(t, redis.url), /\bname=redlatch/);
});

test("RESP3 where the server has it", async (t) => {
  assert.match(await seenByServer(t, redis.url), /\bresp=3\b/);
});

test("a host name", async (t) => {
  await seenByServer(t, `redis://localhost:${redis.port}`);
});

test("a password alone, and percent-encoded", async (t) => {
  const password = "p@ss:w/o?r#d %20 ünï[]";
  const guarded = await startRedis(t, { password });
  assert.match(await seenByServer(t, guarded.url, guarded), /\buser=default\b/);
});

test("a user and a password, percent-encoded", async (t) => {
  const [user, password] = ["us/er:@x", "100% sure?"];
  await redis.send("ACL", "SETUSER", user, "on", `>${password}`, "~*", "&*", "+@all");
  const url = `redis://${encodeURIComponent(user)}:${encodeURIComponent(password)}@127.0.0.1:${redis.port}/3`;
  const line = await seenByServer(t, url);
  assert.ok(line.includes(`user=${user}`) && /\bdb=3\b/.test(line), line);
});

test("a user and a password on a server without HELLO", async (t) => {
  const old = await startRedis(t, { config: { "rename-command": ["HELLO", ""] } });
  await old.send("ACL", "SETUSER", "worker", "on", ">pw", "~*", "&*", "+@all");
  const line = await seenByServer(t, `redis://worker:pw@127.0.0.1:${old.port}/5`, old);
  assert.match(line, /\buser=worker\b/);
  assert.match(line, /\bdb=5\b/);
});

test("a user with an empty password, by valkey://", async (t) => {
  await redis.send("ACL", "SETUSER", "open", "on", "nopass", "~*", "&*", "+@all");
  const line = await seenByServer(t, `valkey://open:@127.0.0.1:${redis.port}/4`);
  assert.match(line, /\buser=open\b/);
  assert.match(line, /\bdb=4\b/);
});

test("an IPv6 address", { skip: (await hasIPv6()) ? false : "this machine has no ::1" }, async (t) => {
  const six = await startRedis(t, { config: { bind: ["127.0.0.1", "::1"] } });
  assert.match(await seenByServer(t, `redis://[::1]:${six.port}/2`, six), /\baddr=\[::1\]/);
});

test("the default port", async (t) => {
  const addresses = [];
  const transport = {
    connect(address) {
      addresses.push(address);
      return Promise.reject(new Error("not dialled in this test"));
    },
  };
  for (const url of ["redis://example.org", "rediss://example.org"]) {
    await openClient(t, url, { transport })
      .tryAcquire(freshKey())
      .catch(() => {});
  }
  assert.deepEqual(
    addresses.map(({ port }) => port),
    [6379, 6379],
  );
});

test("a unix socket", async (t) => {
  const path = join(redis.folder, "redis.sock");
  const line = await seenByServer(t, `unix://${path}`);
  assert.ok(line.includes("redis.sock"), line);
  await assert.rejects(openClient(t, `unix://${join(redis.folder, "absent.sock")}`).tryAcquire(freshKey()), {
    code: "LOCK_CONNECTION",
  });
});

test("nodes with a single server is the same as url", async (t) => {
  const client = openClient(t, redis, { url: undefined, nodes: [redis.url] });
  const lock = await client.acquire(freshKey());
  assert.equal(typeof lock.fence, "bigint");
  await lock.release();
});

test("credentials are not sent to a server before they are asked for by a URL", async (t) => {
  const port = await freePort();
  const open = await startRedis(t, { port });
  assert.match(await seenByServer(t, `redis://127.0.0.1:${port}`, open), /\buser=default\b/);
});
