// A route handler for runtimes without sockets (Vercel Edge, Next.js, ...): the lock goes over HTTP, to Upstash or to
// serverless-redis-http. In Next.js, this is app/orders/route.js; elsewhere, any function from a Request to a Response.
import { createClient, fromRest } from "redlatch";

export const runtime = "edge";

// One client for all requests: it keeps no connection open.
const locks = createClient({
  transport: fromRest({
    url: process.env.UPSTASH_REDIS_REST_URL,
    token: process.env.UPSTASH_REDIS_REST_TOKEN,
  }),
  // As long as a request to the database may take.
  nodeTimeout: 2_000,
});

/** Charges an order, unless another request is doing that: then the response is 409, and the caller may retry. */
export async function POST(request) {
  const { order } = await request.json();
  const lock = await locks.tryAcquire(`order:${order}`, { ttl: 15_000 });
  if (lock === null) return Response.json({ order, problem: "the order is being charged" }, { status: 409 });
  try {
    // The lock keeps others out; the fence lets the service refuse this request if it resumes after its lease.
    const { status } = await fetch(process.env.PAYMENTS_URL, {
      method: "POST",
      body: JSON.stringify({ order, fence: String(lock.fence) }),
      signal: AbortSignal.any([lock.signal, request.signal]),
    });
    return Response.json({ order, fence: String(lock.fence) }, { status });
  } finally {
    await lock.release();
  }
}
