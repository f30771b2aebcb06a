// What the package needs in Deno: --allow-net and nothing else. A process of its own has just that.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createAuthority } from "../support/certificates.js";
import { startRedis } from "../support/redis.js";

const authority = createAuthority({ after }, "redlatch test authority");
const { certFile, keyFile } = authority.issue(["DNS:localhost", "IP:127.0.0.1"]);
const { cert, key } = authority.issue(["DNS:client"]);
const redis = await startRedis(
  { after },
  {
    config: {
      unixsocket: "redis.sock",
      "tls-port": "free",
      "tls-cert-file": certFile,
      "tls-key-file": keyFile,
      "tls-ca-cert-file": authority.file,
      "tls-auth-clients": "yes",
    },
  },
);
const { tlsPort } = redis;
const script = fileURLToPath(new URL("../workers/restricted.js", import.meta.url));
const settings = fileURLToPath(new URL("../deno.json", import.meta.url));

/** What the script printed, with these permissions and no way to ask for more. */
async function runWith(permissions, options) {
  const args = ["run", "--no-prompt", "--no-check", "--config", settings, ...permissions, script];
  // Not node:child_process, which grants everything to a child that is given no permission.
  const command = new Deno.Command(Deno.execPath(), {
    args: [...args, JSON.stringify(options)],
    signal: AbortSignal.timeout(20_000),
  });
  const { stdout, stderr } = await command.output();
  return [stdout, stderr]
    .map((bytes) => new TextDecoder().decode(bytes))
    .join("")
    .trim();
}

const tls = { ca: authority.certificate, cert, key };
const ways = {
  tcp: { url: redis.url },
  "tcp, by name": { url: `redis://localhost:${redis.port}` },
  TLS: { url: `rediss://127.0.0.1:${tlsPort}`, tls },
  "TLS, by name": { url: `rediss://localhost:${tlsPort}`, tls },
};
for (const [way, options] of Object.entries(ways)) {
  test(`${way}: --allow-net is enough`, async () => {
    assert.equal(await runWith(["--allow-net"], options), "released, with net and nothing else");
  });
}

test("without --allow-net the error says what is missing", async () => {
  assert.match(await runWith([], ways.tcp), /LOCK_CONNECTION .*--allow-net/);
});

test("a unix socket is a file: Deno wants --allow-read and --allow-write too", async () => {
  const options = { url: `unix://${join(redis.folder, "redis.sock")}` };
  assert.match(await runWith(["--allow-net"], options), /LOCK_CONNECTION .*--allow-read/);
  assert.match(await runWith(["--allow-net", "--allow-read", "--allow-write"], options), /^released/);
});
