// Clients of the package that end with the test that opened them, and key names that no two tests share.
import { createClient } from "./redlatch.js";

/** A client of `server` ({ url }, or a URL) which is closed when `scope` ends. */
export function openClient(scope, server, options = {}) {
  const client = createClient({ url: typeof server === "string" ? server : server.url, ...options });
  scope.after(() => client.close({ timeout: 200 }));
  return client;
}

let count = 0;

/** A key name that is used once. */
export function freshKey(name = "key") {
  count += 1;
  return `${name}-${process.pid}-${count}`;
}
