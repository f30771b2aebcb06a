// What every contestant does, whatever runtime it is: increments of one counter, without protection but for the lock.

/**
 * `arena` is the URL of support/arena.js; `races`: { name, locked } in order, of `rounds` increments each; `redlatch` is the package.
 * `options`: what a client needs to get to the server from here.
 */
export async function contend({ createClient }, { arena, name, url, rounds, races }, options = {}) {
  const tell = async (path, message) => {
    const body = JSON.stringify({ contestant: name, ...message });
    const response = await fetch(`${arena}${path}`, { method: "POST", body });
    if (!response.ok) throw new Error(`${path}: ${await response.text()}`);
    return response.json();
  };
  const client = createClient({ url, wait: 60_000, retry: { min: 2, max: 12 }, ...options });
  for (const race of races) {
    await tell("/arrive", { race: race.name });
    for (let round = 0; round < rounds; round += 1) {
      const lock = race.locked ? await client.acquire("contest") : undefined;
      const { value } = await tell("/read");
      // Whoever else is in here now is overwritten below.
      await new Promise((resolve) => setTimeout(resolve, 1));
      await tell("/write", { race: race.name, value: value + 1, fence: lock && String(lock.fence) });
      const outcome = await lock?.release();
      if (lock && outcome !== "released") throw new Error(`round ${round}: the lock was ${outcome}`);
      // Whoever has just released would win most races for the next turn, if it went on at once.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
    }
  }
  await client.close();
}
