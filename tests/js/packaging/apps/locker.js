// A program that uses the package, to be bundled and run anywhere. "taken" is held by somebody else.
export async function lockOnce({ createClient, LockTimeoutError }, options) {
  const client = createClient(options);
  const free = await client.acquire("free");
  const held = free.held;
  const taken = await client.tryAcquire("taken");
  const refusal = await client.acquire("taken", { wait: 0 }).catch((error) => error);
  const outcome = await free.release();
  await client.close();
  const refused = taken === null && refusal instanceof LockTimeoutError && refusal.code === "LOCK_TIMEOUT";
  return { held, fence: String(free.fence), refused, name: refusal.name, outcome };
}
