// However the replies are cut into pieces, the outcome is the same.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { freshKey, openClient } from "../support/clients.js";
import { startProxy } from "../support/proxy.js";
import { startRedis } from "../support/redis.js";
import { byteByByte, splitAt, tcpTransport } from "../support/transport.js";

const servers = {
  RESP3: await startRedis({ after }),
  RESP2: await startRedis({ after }, { config: { "rename-command": ["HELLO", ""] } }),
};

/** Every kind of reply there is: handshake, granted, not granted, extended, verified, released, not ours. */
async function conversation(client) {
  const key = freshKey();
  const lock = await client.acquire(key, { wait: 0 });
  assert.equal(typeof lock.fence, "bigint");
  assert.equal(await client.tryAcquire(key), null);
  await lock.extend(20_000);
  assert.equal(await lock.verify(), true);
  assert.equal(await lock.release(), "released");
  const next = await client.acquire(key, { wait: 0 });
  assert.ok(next.fence > lock.fence);
  assert.equal(await next.release(), "released");
}

for (const [protocol, redis] of Object.entries(servers)) {
  test(`rule 15: ${protocol}: the stream split once before every byte`, { timeout: 60_000 }, async (t) => {
    let length = 0;
    const measuring = tcpTransport(redis.port, (chunk, hand) => {
      length += chunk.length;
      hand(chunk);
    });
    await conversation(openClient(t, redis, { transport: measuring }));
    assert.equal(measuring.connections, 1);
    assert.ok(length > 100, `${length} bytes of replies`);
    for (let offset = 1; offset < length; offset += 1) {
      const transport = tcpTransport(redis.port, splitAt(offset));
      const client = openClient(t, redis, { transport });
      await conversation(client);
      await client.close();
      assert.equal(transport.connections, 1, `split before byte ${offset}: the connection was not burned`);
    }
  });

  test(`${protocol}: one byte at a time, in one go and over a real socket`, async (t) => {
    const transport = tcpTransport(redis.port, byteByByte);
    await conversation(openClient(t, redis, { transport }));
    const proxy = await startProxy(t, { host: "127.0.0.1", port: redis.port });
    proxy.chunk = 1;
    await conversation(openClient(t, proxy));
    assert.equal(proxy.connections, 1);
  });

  test(`${protocol}: many replies in one chunk`, async (t) => {
    let waiting = [];
    // Replies that arrive within one turn are handed over as one piece.
    const transport = tcpTransport(redis.port, (chunk, hand) => {
      if (waiting.length === 0)
        setImmediate(() => {
          const all = Buffer.concat(waiting);
          waiting = [];
          hand(all);
        });
      waiting.push(chunk);
    });
    const client = openClient(t, redis, { transport });
    const base = freshKey();
    const locks = await Promise.all(Array.from({ length: 64 }, (_, at) => client.acquire(`${base}-${at}`)));
    assert.deepEqual(new Set(await Promise.all(locks.map((lock) => lock.release()))), new Set(["released"]));
  });
}
