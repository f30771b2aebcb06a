// Not run: the compiler reads it against the package's declarations. What must not compile says so.
import {
  type AcquireOptions,
  type ClientOptions,
  type ClientSnapshot,
  type Clock,
  type ClusterOptions,
  createClient,
  fromRest,
  type HostPolicy,
  type Lock,
  type LockClient,
  LockError,
  type LockErrorCode,
  type LockErrorOptions,
  type LockEvent,
  type LockHandle,
  LockLostError,
  LockTimeoutError,
  type NatMap,
  type NodeFault,
  QuorumError,
  ServerError,
  type Transport,
  type Vote,
} from "redlatch";
import { createMemoryServer, type MemoryKey } from "redlatch/memory";

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const holds = <T extends true>(): T | undefined => undefined;

const client: LockClient = createClient("redis://h");
const five = client.using("k", () => 5);
holds<Same<typeof five, Promise<number>>>();
const text = client.using("k", { ttl: 1000 }, async () => "x" as const);
holds<Same<typeof text, Promise<"x">>>();
const nothing = client.using(["a"] as const, async () => {});
holds<Same<typeof nothing, Promise<void>>>();

// @ts-expect-error: an unknown option
client.acquire("k", { tll: 5 });
// @ts-expect-error: a url is a string
createClient({ url: 5 });
// An environment variable that may not be set, as its type is in Node.js.
declare const env: Record<string, string | undefined>;
createClient(env.REDIS_URL);
createClient({ url: env.REDIS_URL, label: env.HOSTNAME, tls: { ca: env.REDIS_CA } });
createClient({ nodes: [env.REDIS_A, { url: env.REDIS_B }, "redis://c"] });
createClient({ nodes: ["redis://a", "redis://b", "redis://c"] as const });
createClient("redis+cluster://a:1,b:2");
createClient({ cluster: ["redis://a", env.REDIS_B] });
createClient({ cluster: ["redis://a", "redis://b"] as const, replicas: 1 });
const natMaps: (NatMap | undefined)[] = [
  { "10.0.0.1:7000": "203.0.113.7:7000" },
  (address: string) => (address === "" ? undefined : address),
  undefined,
];
const policies: (HostPolicy | undefined)[] = [
  ["a", "b"] as const,
  (host: string, port: number) => host.endsWith(".example") && port > 1024,
  undefined,
];
const cluster: ClusterOptions = {
  seeds: [env.REDIS_A],
  natMap: natMaps[0],
  allow: policies[0],
  tls: { ca: env.CA },
  sharded: env.CA !== undefined,
};
createClient({ cluster, tls: {} });
// @ts-expect-error: a cluster has seeds
createClient({ cluster: { allow: ["h"] } });
// @ts-expect-error: not a list
createClient({ cluster: "redis://a" });
// @ts-expect-error: a policy decides at once
createClient({ cluster: { seeds: [], allow: async () => true } });
// @ts-expect-error: a map leads to addresses
createClient({ cluster: { seeds: [], natMap: { "a:1": 2 } } });
createClient({
  nodes: [
    { cluster: ["redis://a"] },
    { sentinel: { name: "m", sentinels: ["redis://b", env.REDIS_B] } },
    "redis+cluster://c",
    { cluster: { seeds: ["redis://d"], sharded: false }, tls: {} },
  ],
});
fromRest({ url: env.REST_URL, token: env.REST_TOKEN, fetch: undefined });
// @ts-expect-error: but it must be named
createClient();
const perhaps: AbortSignal | undefined = undefined;
client.acquire("k", { ttl: undefined, signal: perhaps });
// @ts-expect-error: using has a body
client.using("k", {});
// @ts-expect-error: a handle is whole
client.adopt({ keys: ["k"], token: "t" });

const options: AcquireOptions = {
  ttl: 1,
  wait: Infinity,
  fair: true,
  renew: true,
  maxHold: 1,
  token: "t",
};
const lock: Lock | null = await client.tryAcquire("k", options);
if (lock !== null) {
  const handle: LockHandle = JSON.parse(JSON.stringify(lock));
  const adopted: Lock = await client.adopt(handle, { renew: true });
  const fence: bigint | null = adopted.fence;
  const signal: AbortSignal = adopted.signal;
  const outcome: "released" | "expired" | "unknown" = await adopted.release();
  console.log(fence, signal, outcome);
}

try {
  await client.acquire("k");
} catch (error) {
  if (error instanceof LockTimeoutError) {
    const attempts: number = error.attempts;
    const code: "LOCK_TIMEOUT" = error.code;
    console.log(attempts, code);
  }
  if (error instanceof LockLostError) console.log(error.since + 1, error.result);
  if (error instanceof ServerError) console.log(error.prefix + error.node);
  if (error instanceof QuorumError) {
    const votes: readonly Vote[] = error.votes;
    const failure: LockError | undefined = votes[0]?.error;
    console.log(failure?.code);
  }
  if (error instanceof LockError) {
    const code: LockErrorCode = error.code;
    const names: readonly string[] = error.keys;
    console.log(names, error.cause);
    // @ts-expect-error: not a code
    console.log(code === "LOCK_NONE");
  }
}

function told(event: LockEvent): string | number | bigint | null {
  switch (event.type) {
    case "contended":
      return event.keys.join();
    case "renewed":
      return event.rtt;
    case "renew-failed":
      return event.error.cause?.code ?? event.error.message;
    case "timed-out":
      return event.waited / event.attempts;
    case "acquired":
      return event.fence;
    case "degraded":
      return event.missing;
    case "lost":
      return event.error.message + event.held;
    case "released":
      return event.outcome;
    case "connection":
      // @ts-expect-error: no lock's event has a state
      if (event.type === "lost") return event.state;
      return event.node + (event.state === "ended" ? event.reason : event.state);
    default: {
      const none: never = event;
      return none;
    }
  }
}

const removeObserver: () => void = client.observe(told);
removeObserver();
const snapshot: ClientSnapshot = client.inspect();
const fault: NodeFault | null | undefined = snapshot.nodes[0]?.fault;
console.log(fault?.prefix);
console.log(snapshot.nodes[0]?.state === "ready", snapshot.counters.roundTrips + 1);
// @ts-expect-error: tokens are not shown
console.log(snapshot.locks[0]?.token);

const clock: Clock = {
  now: () => 1,
  wall: () => 2,
  setTimeout: () => 0,
  clearTimeout() {},
};
const transport: Transport = {
  connect: async () => ({ write() {}, close() {} }),
};
const all: ClientOptions = {
  nodes: ["redis://a", { url: "redis://b" }],
  clock,
  transport,
  observe: told,
};

class Mine extends LockLostError {}
const own: LockErrorOptions = { keys: ["k"], cause: new Error("why") };
console.log(new Mine("m", 1, own).code);

await using disposed = createClient(all);
await using held = await disposed.acquire("k");
console.log(held.remaining);

const memory = createMemoryServer({ now: () => 0 });
createClient({ transport: memory.transport });
holds<Same<ReturnType<typeof memory.keys>, MemoryKey[]>>();
// @ts-expect-error a clock tells a number
createMemoryServer({ now: () => "now" });
