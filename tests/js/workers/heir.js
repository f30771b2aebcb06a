// Adopts the lock that it is handed, and does with it what it is told.
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

const { url, nodes, handle, verbs, options } = input();
const client = createClient({ ...(nodes === undefined ? { url } : { nodes }), nodeTimeout: 2_000 });
try {
  const lock = await client.adopt(handle, options);
  say({ adopted: true, fence: String(lock.fence), keys: lock.keys, remaining: lock.remaining });
  for (const verb of verbs) say({ verb, answer: (await lock[verb]()) ?? null, held: lock.held });
  // A majority's answer is enough for the result, but the other servers must get the command too.
  if (verbs.includes("release")) await client.close();
} catch (error) {
  say({ failed: error.name, code: error.code });
}
// A lock that is not released here stays: the process ends as one that is killed does.
say({ done: true });
process.exit();
