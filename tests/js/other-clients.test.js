// Locks over the clients that an application already has, on Node.js.
import { after, test } from "node:test";
import { CHECKS, startAppRedis } from "./support/client-contract.js";
import { clients } from "./support/other-clients.js";

const servers = await Promise.all([1, 2, 3].map(() => startAppRedis({ after })));

for (const name of ["ioredis 5", "ioredis 6", "node-redis 4", "node-redis 5", "node-redis 6", "GLIDE"]) {
  for (const [what, check] of Object.entries(CHECKS)) {
    test(`${name}: ${what}`, { timeout: 30_000 }, (t) => check(t, clients[name], servers));
  }
}
