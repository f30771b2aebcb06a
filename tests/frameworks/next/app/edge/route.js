// A route handler on the edge, where there are no sockets and nothing is compiled from bytes.
import { createClient, fromRest, LockTimeoutError } from "redlatch";

export const runtime = "edge";

const { UPSTASH_REDIS_REST_URL: url, UPSTASH_REDIS_REST_TOKEN: token } = process.env;
const locks = createClient({ transport: fromRest({ url, token }), nodeTimeout: 2_000 });

export async function POST() {
  try {
    const fence = await locks.using("order:edge", { wait: 0 }, async (lock) => String(lock.fence));
    return Response.json({ fence, runtime: globalThis.EdgeRuntime });
  } catch (error) {
    const status = error instanceof LockTimeoutError ? 409 : 500;
    return Response.json({ name: error.name, message: error.message }, { status });
  }
}
