// Clients of the package that end with the test that opened them, and key names that no two tests share.
import { createClient } from "./redlatch.js";

/**
 * A client of `server` ({ url }, a URL, or a list of either) which is closed when `scope` ends. What it asks may take 2 s, unless
 * the options say otherwise: by default it is 5 % of the lease, 20 ms for short ones, and a busy machine takes longer at times.
 */
export function openClient(scope, server, options = {}) {
  const client = createClient({ ...addressOf(server), nodeTimeout: 2_000, ...options });
  scope.after(() => client.close({ timeout: 200 }));
  return client;
}

function addressOf(server) {
  if (server === undefined) return {};
  const url = (each) => (typeof each === "string" ? each : each.url);
  return Array.isArray(server) ? { nodes: server.map(url) } : { url: url(server) };
}

let count = 0;

/** A key name that is used once. */
export function freshKey(name = "key") {
  count += 1;
  return `${name}-${process.pid}-${count}`;
}
