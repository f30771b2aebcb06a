// A process with many locks, waiters or clients: by how much it and the server have grown for each, in bytes. Needs --expose-gc.
//
// `settle`: how long waiters and closed connections are given, in ms.
import { setTimeout as pause } from "node:timers/promises";
import { input, say } from "../../js/support/processes.js";
import { open } from "../contenders/index.js";
import { releaseMany, takeMany } from "../measure/many.js";
import { fieldsOf, openMeter } from "../measure/meter.js";

const { name, port, of, count, settle } = input();
const options = { ports: [port], lanes: count, lease: 120_000 };
const { server } = await openMeter([port]);

async function read() {
  await pause(50);
  for (let time = 0; time < 3; time += 1) {
    global.gc();
    await pause(10);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  const used = fieldsOf(await server.send("INFO", "memory")).used_memory;
  return { heap: heapUsed, external, rss, server: used };
}

/** What grows, and how it goes away again. */
const growing = {
  async locks() {
    const releases = await takeMany(client.take, count);
    return () => releaseMany(releases);
  },
  async waiters() {
    const holder = await open(name, options);
    await holder.take("bench:waited-for");
    for (let waiter = 0; waiter < count; waiter += 1) client.take("bench:waited-for");
    await pause(settle);
  },
  async clients() {
    const clients = [];
    for (let at = 0; at < count; at += 1) {
      clients.push(await open(name, options));
      await (await clients.at(-1).take(`bench:${at}`))();
    }
    return async () => {
      await Promise.all(clients.map(({ close }) => close()));
      await pause(settle);
    };
  },
};

const client = await open(name, options);
// So that code is compiled and buffers have grown before.
await releaseMany(await takeMany(client.take, 1_000));
const before = await read();
const shrink = await growing[of]();
const during = await read();
await shrink?.();
const after = await read();
const each = (there, key) => (there[key] - before[key]) / count;
say({
  result: {
    heap: each(during, "heap"),
    external: each(during, "external"),
    rss: each(during, "rss"),
    server: each(during, "server"),
    serverAfter: shrink ? each(after, "server") : undefined,
  },
});
process.exit();
