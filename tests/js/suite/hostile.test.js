// Replies that no honest server sends: a clear error, the connection burned, nothing else hurt.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { rejection } from "../support/conditions.js";
import { forwardingTo, startFakeServer } from "../support/fake-server.js";
import { startRedis } from "../support/redis.js";
import { ProtocolError } from "../support/redlatch.js";

const redis = await startRedis({ after });

const hostile = {
  "an array of 2^31 elements": "*2147483648\r\n",
  "an array of 2^32 elements": "*4294967296\r\n",
  "an array of 2^63 elements": "*9223372036854775808\r\n",
  "a bulk string of 2^31 bytes": "$2147483648\r\nabc",
  "a bulk string of 512 MB": `$536870912\r\n${"x".repeat(1_000)}`,
  "a length of -2": "$-2\r\n",
  "an array length of -2": "*-2\r\n",
  "a length that is no number": "$abc\r\n",
  "an empty length": "*\r\n",
  "nested deeper than any reply": "*1\r\n".repeat(64),
  "nested very deep": "*1\r\n".repeat(100_000),
  "an unknown first byte": "@what\r\n",
  "a line without an end": `+${"x".repeat(2_000_000)}`,
  "a web server": "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
  "a bulk string with the wrong end": "$2\r\nabXY",
  "an integer that is none": ":12x4\r\n",
};

for (const [name, bytes] of Object.entries(hostile)) {
  test(`rule 15: ${name}: ProtocolError, and the next attempt is served`, async (t) => {
    let attacks = 1;
    const fake = await startFakeServer(
      t,
      await forwardingTo(redis, (args) => {
        if (!args[0].startsWith("EVAL") || attacks === 0) return undefined;
        attacks -= 1;
        return Buffer.from(bytes);
      }),
    );
    const client = openClient(t, fake);
    const before = process.memoryUsage();
    const error = await rejection(client.tryAcquire(freshKey(), { ttl: 60_000 }));
    assertLockError(error, { type: ProtocolError, code: "LOCK_PROTOCOL", port: fake.port });
    const grown =
      process.memoryUsage().arrayBuffers +
      process.memoryUsage().external -
      before.arrayBuffers -
      before.external;
    assert.ok(grown < 32 * 2 ** 20, `memory grew by ${grown} bytes`);
    const lock = await client.acquire(freshKey(), { wait: 5_000 });
    assert.equal(await lock.release(), "released");
    assert.equal(fake.connections, 2);
  });
}

test("rule 15: a handshake answered with nonsense", async (t) => {
  const fake = await startFakeServer(t, () => "SSH-2.0-OpenSSH_9.2\r\n");
  const error = await rejection(openClient(t, fake).tryAcquire(freshKey()));
  assertLockError(error, { type: ProtocolError, code: "LOCK_PROTOCOL", port: fake.port });
});
