// To measure cold starts: the package is imported by the first request that asks for it, not with the worker.
const answers = {
  "/nothing": () => {},
  "/client": async (url) => (await import("redlatch")).createClient(url),
  async "/lock"(url) {
    const client = (await import("redlatch")).createClient(url);
    const lock = await client.acquire("cold");
    await lock.release();
    await client.close();
  },
};

export default {
  async fetch(request, env) {
    await answers[new URL(request.url).pathname](env.REDIS_URL);
    return Response.json({});
  },
};
