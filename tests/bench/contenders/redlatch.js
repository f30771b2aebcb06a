// redlatch, as the other contenders.

export async function openRedlatch({ ports, lease, renew }, options) {
  const { createClient } = await import("../../js/support/redlatch.js");
  const [first, ...others] = ports.map((port) => `redis://127.0.0.1:${port}`);
  const server = others.length === 0 ? { url: first } : { nodes: [first, ...others] };
  const client = createClient({ ...server, ttl: lease, wait: 600_000 });
  const all = renew ? { ...options, renew } : options;
  return {
    async take(key) {
      const lock = await client.acquire(key, all);
      return async () => {
        if ((await lock.release()) !== "released") throw new Error("not released");
      };
    },
    close: () => client.close(),
  };
}
