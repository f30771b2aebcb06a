// A Cloudflare Worker: one booking per seat at a time. REDIS_URL and BOOKINGS_URL are variables of the worker.
import { createClient, LockTimeoutError } from "redlatch";

export default {
  async fetch(request, env, context) {
    const seat = new URL(request.url).searchParams.get("seat") ?? "any";
    // A client for each request: in workers, sockets belong to the request in which they were opened.
    const locks = createClient(env.REDIS_URL);
    try {
      return await locks.using(`seat:${seat}`, { ttl: 10_000, wait: 2_000 }, (lock) => book(env, seat, lock));
    } catch (error) {
      if (!(error instanceof LockTimeoutError)) throw error;
      return new Response("this seat is being booked already", {
        status: 409,
        headers: { "retry-after": "1" },
      });
    } finally {
      // The response is sent while the connection is still being closed.
      context.waitUntil(locks.close());
    }
  },
};

async function book(env, seat, lock) {
  // The service refuses a fence that is smaller than one it has seen: an earlier holder cannot undo a later booking.
  const booking = { seat, fence: String(lock.fence) };
  const { status } = await fetch(env.BOOKINGS_URL, {
    method: "POST",
    body: JSON.stringify(booking),
    // Ends the request when the lock is lost.
    signal: lock.signal,
  });
  return Response.json(booking, { status });
}
