// To measure cold starts: the package is imported on demand, not with the page.
globalThis.cold = async (bridge) => {
  const start = performance.now();
  const { createClient, fromWebSocket } = await import("redlatch");
  const client = createClient({ transport: fromWebSocket(bridge) });
  const made = performance.now() - start;
  const lock = await client.acquire("cold");
  const locked = performance.now() - start;
  await lock.release();
  await client.close();
  return { made, locked };
};
