// What a browser does for the tests: functions that they call by name.
import * as redlatch from "redlatch";
import * as slim from "redlatch/slim";
import { run } from "../conformance/run.js";

const { createClient, fromWebSocket } = redlatch;

async function attempt(call) {
  try {
    return { value: await call() };
  } catch (error) {
    const { name, code, message, cause, stack } = error;
    return { name, code, message, all: `${stack} ${cause?.stack} ${JSON.stringify(error)}` };
  }
}

async function lockOnce(client, key) {
  try {
    return await (await client.acquire(key, { wait: 0 })).release();
  } finally {
    await client.close();
  }
}

Object.assign(globalThis, {
  conformance(name, world, bridge) {
    const transport = fromWebSocket(({ host, port }) => `${bridge}/${host}:${port}`);
    return run(name, redlatch, world, () => ({ transport }));
  },
  ready: () => attempt(redlatch.ready),
  locks: (bridge, key) => attempt(() => lockOnce(createClient({ transport: fromWebSocket(bridge) }), key)),
  withoutTransport: () => attempt(() => createClient("redis://127.0.0.1:6379")),
  early: (bridge) => attempt(() => slim.createClient({ transport: fromWebSocket(bridge) })),
  slimReady: (url) => attempt(() => slim.ready(fetch(url))),
  slimLocks: (bridge, key) =>
    attempt(() => lockOnce(slim.createClient({ transport: fromWebSocket(bridge) }), key)),
});
