// Acquiring again with a token under which this client holds the same keys.
import { equal } from "./check.js";

export const reentry = {
  async "re-entry shares the lease, and only the last release frees the lock"({ connect, key, send }) {
    const client = connect();
    const name = key();
    const outer = await client.acquire(name, { token: "mine" });
    const inner = await client.acquire(name, { token: "mine" });
    equal(inner.fence, outer.fence, "the fence");
    await inner.release();
    equal(outer.held, true, "held after the inner release");
    equal(await send("EXISTS", `lock:${name}`), 1);
    equal(await outer.release(), "released");
    equal(await send("EXISTS", `lock:${name}`), 0);
  },
};
