import { openClient } from "../../../../pkg/dist/client.js";
import * as fake from "./fake-core.js";

export const TOKEN = [1, 0xffffffff, 0, 0x0a, 0xdeadbeef];

/** A client on a fake core, transport and clock. */
export function start(options = {}, prepare = undefined, afterTurn = undefined) {
  const clock = new fake.FakeClock();
  const transport = new fake.FakeTransport();
  const { load, cores, abandoned } = fake.fakeLoader(prepare);
  const client = openClient(
    { url: "redis://u:canary@h:1/2", allowPlaintextAuth: true, clock, transport, ...options },
    load,
    transport,
    afterTurn,
  );
  return { client, clock, transport, cores, abandoned };
}

/** A client with an open connection 9. */
export async function connected(options, prepare, afterTurn) {
  const parts = start(options, prepare, afterTurn);
  const first = parts.client.acquire("first");
  first.catch(() => {});
  const [core] = parts.cores;
  core.queue(fake.KIND.connect, 9, 0);
  await fake.settle();
  const [dial] = parts.transport.dials;
  dial.resolve();
  await fake.settle();
  const feed = (...records) => {
    for (const record of records) core.queue(...record);
    dial.handler.data(Buffer.from("x"));
  };
  return { ...parts, core, dial, first, feed };
}

/** ... and with a lock, id 1. */
export async function holding(options) {
  const parts = await connected(options);
  parts.feed([fake.KIND.granted, 1, 3, 5, ...TOKEN]);
  return { ...parts, lock: await parts.first };
}
