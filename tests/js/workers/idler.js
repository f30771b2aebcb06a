// Leaves its client open, and has nothing else to do.
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

const { url, holding, tls } = input();
const client = createClient({ url, ...(tls && { tls }) });
const lock = await client.acquire("idle", { ttl: 600_000 });
if (!holding) await lock.release();
say({ ready: true });
