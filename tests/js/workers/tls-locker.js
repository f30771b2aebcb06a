// Takes and releases one lock over TLS; says how it went.
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

const { url, tls = {} } = input();
const client = createClient({ url, tls, wait: 0 });
try {
  const lock = await client.acquire("over-tls");
  say({ outcome: await lock.release() });
} catch (error) {
  say({ name: error.name, code: error.code, message: error.message });
}
await client.close();
