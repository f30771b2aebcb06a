// redlatch/memory in workerd, which compiles no bytes.
import { createClient } from "redlatch";
import { createMemoryServer } from "redlatch/memory";

export default {
  async fetch() {
    const { transport, keys } = createMemoryServer();
    const [one, other] = [createClient({ transport }), createClient({ transport })];
    const lock = await one.acquire("job");
    const refused = (await other.tryAcquire("job")) === null;
    const key = keys()[0]?.key;
    const outcome = await lock.release();
    await Promise.all([one.close(), other.close()]);
    return Response.json({ refused, key, outcome });
  },
};
