// A function of the kind of AWS Lambda's: between two calls its process is frozen. The client is made once, as such functions do.
import { createServer } from "node:http";
import { createClient } from "redlatch";

const locks = createClient(process.argv.at(-1));

/** The function. */
async function handler() {
  const lock = await locks.tryAcquire("report");
  if (lock === null) return { busy: true };
  try {
    return { fence: String(lock.fence), held: lock.held };
  } finally {
    await lock.release();
  }
}

// What the provider has around it.
const server = createServer(async (_request, response) => {
  const result = await handler().catch(({ name, message }) => ({ name, message }));
  response.end(JSON.stringify(result));
});
server.listen(0, "127.0.0.1", () => {
  console.log(JSON.stringify({ url: `http://127.0.0.1:${server.address().port}` }));
});
