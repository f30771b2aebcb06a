// The runtime's own sockets: what they cannot take at once still arrives, and they do not keep the process alive.
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { createAuthority } from "../support/certificates.js";
import { freshKey, openClient } from "../support/clients.js";
import { settles } from "../support/conditions.js";
import { startWorker } from "../support/processes.js";
import { startRedis } from "../support/redis.js";

const authority = createAuthority({ after }, "redlatch test authority");
const { certFile, keyFile } = authority.issue(["IP:127.0.0.1"]);
const config = {
  unixsocket: "redis.sock",
  "tls-port": "free",
  "tls-cert-file": certFile,
  "tls-key-file": keyFile,
  "tls-ca-cert-file": authority.file,
  "tls-auth-clients": "no",
};
const redis = await startRedis({ after }, { config });

const ways = {
  tcp: { url: redis.url },
  TLS: { url: `rediss://127.0.0.1:${redis.tlsPort}`, tls: { ca: authority.certificate } },
  unix: { url: `unix://${join(redis.folder, "redis.sock")}` },
};

for (const [way, options] of Object.entries(ways)) {
  test(`${way}: more than the socket takes at once arrives whole and in order`, async (t) => {
    const client = openClient(t, undefined, { ...options, ttl: 60_000, nodeTimeout: 20_000 });
    await (await client.acquire(freshKey())).release();
    // The server reads nothing meanwhile, so that its buffers and ours fill up.
    redis.pause();
    const names = Array.from({ length: 160 }, (_, at) => freshKey(`${at}-`.padEnd(60_000, "x")));
    const taking = [];
    // In many writes: those after one that is stuck must neither overtake it nor come between its parts.
    for (const name of names) {
      taking.push(client.acquire(name, { wait: 0 }));
      taking.at(-1).catch(() => {});
      await new Promise(setImmediate);
    }
    redis.resume();
    const locks = await settles(Promise.all(taking), 20_000, "all of them");
    assert.ok(locks.every((lock, at) => lock.held && lock.keys[0] === names[at]));
    assert.deepEqual(new Set(await Promise.all(locks.map((lock) => lock.release()))), new Set(["released"]));
    assert.equal(client.inspect().counters.reconnects, 0);
  });

  for (const holding of [false, true]) {
    const what = holding ? "a lock" : "nothing";
    test(`${way}: rule 18: an open client that holds ${what} does not keep the process alive`, async (t) => {
      const own = await startRedis(t, { config });
      const url = {
        tcp: own.url,
        TLS: `rediss://127.0.0.1:${own.tlsPort}`,
        unix: `unix://${join(own.folder, "redis.sock")}`,
      };
      const script = new URL("../workers/idler.js", import.meta.url);
      const worker = startWorker(t, script, { url: url[way], tls: options.tls, holding });
      await worker.said(({ ready }) => ready, 20_000);
      // The server stays, and so would the connection.
      const { code } = await settles(worker.exit, 10_000, "the end of the process");
      assert.equal(code, 0, worker.output.join("\n"));
    });
  }
}

const TABLE = "/proc/net/tcp";

test("an idle connection is probed after 10 s, not after the kernel's two hours", {
  skip: existsSync(TABLE) ? false : "the kernel does not show its timers",
}, async (t) => {
  const client = openClient(t, redis);
  await (await client.acquire(freshKey())).release();
  const [, port] = /addr=127\.0\.0\.1:(\d+) [^\n]*name=redlatch/.exec(await redis.send("CLIENT", "LIST"));
  const end = Number(port).toString(16).toUpperCase().padStart(4, "0");
  // The local address, the other one, the state, the queues, and the timer: 2 is keep-alive, with hundredths of a second left.
  const shape = new RegExp(`: 0100007F:${end} \\S+ \\S+ \\S+ 02:([0-9A-F]+) `);
  const [, left] = shape.exec(readFileSync(TABLE, "utf8")) ?? assert.fail("no keep-alive timer runs");
  assert.ok(Number.parseInt(left, 16) <= 1_000, `${Number.parseInt(left, 16)} hundredths`);
});
