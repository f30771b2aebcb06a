// A trap in the wasm, against a real server: the loader puts a core in place that traps when the test wants it to.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { openClient } from "../../../pkg/dist/client.js";
import { inlined } from "../../../pkg/dist/core/inline.js";
import { inlineCore } from "../../../pkg/dist/core/loading.js";
import { InternalError, LockLostError } from "../../../pkg/dist/errors/errors.js";
import { nodeTransport } from "../../../pkg/dist/transport/node.js";
import { startCluster } from "../support/cluster.js";
import { startRedis } from "../support/redis.js";
import { ANY_PREFIX, NEEDED_IN_CLUSTER } from "../support/rights.js";
import { startSentinels } from "../support/sentinels.js";

// A module of nothing but (func (export "t") unreachable).
const TRAP = Buffer.from("0061736d0100000001040160000003020100070501017400000a05010300000b", "hex");
const trap = new WebAssembly.Instance(new WebAssembly.Module(TRAP)).exports.t;
const load = inlineCore(inlined).load;
/** What is called only in a cluster, and only behind sentinels. */
const IN_CLUSTERS = ["cluster", "address", "voter"];
const WITH_SENTINELS = ["sentinels", "address", "voter"];
const METHODS = Object.getOwnPropertyNames(load().Core.prototype).filter(
  (name) => !/^(constructor|__\w+)$/.test(name) && ![...IN_CLUSTERS, ...WITH_SENTINELS].includes(name),
);

const server = await startRedis({ after }, { rights: ANY_PREFIX });
const unhandled = [];
const note = (error) => unhandled.push(error);
process.on("unhandledRejection", note).on("uncaughtException", note);
after(() => process.off("unhandledRejection", note).off("uncaughtException", note));

/** A client whose core traps in the method that `plan.trapIn` names, once. */
function trappingClient(t, options = {}) {
  const plan = { trapIn: undefined, cores: 0 };
  const loadTrapping = () => {
    const instance = load();
    class Core extends instance.Core {
      constructor(...args) {
        super(...args);
        plan.cores += 1;
      }
    }
    for (const name of new Set([...METHODS, ...IN_CLUSTERS, ...WITH_SENTINELS])) {
      Core.prototype[name] = function (...args) {
        if (plan.trapIn === name) {
          plan.trapIn = undefined;
          trap();
        }
        return instance.Core.prototype[name].apply(this, args);
      };
    }
    return { Core, memory: instance.memory, abandon: instance.abandon };
  };
  const client = openClient({ url: server.url, nodeTimeout: 2_000, ...options }, loadTrapping, nodeTransport);
  t.after(() => client.close({ timeout: 200 }));
  return { client, plan };
}

test("a trap loses all leases cleanly, and the next call works", async (t) => {
  const events = [];
  const { client, plan } = trappingClient(t, { observe: (event) => events.push(event) });
  const renewed = await client.acquire("renewed", { ttl: 1_500, renew: true });
  const several = await client.acquire(["several-a", "several-b"], { ttl: 20_000 });
  const entered = await client.acquire("entered", { ttl: 20_000, token: "mine" });
  const again = await client.acquire("entered", { ttl: 20_000, token: "mine" });
  const locks = [renewed, several, entered, again];
  const aborted = locks.map(
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", resolve)),
  );
  const waiting = client.acquire("renewed", { wait: Number.POSITIVE_INFINITY });
  plan.trapIn = "received";
  const verifying = several.verify();

  await assert.rejects(verifying, InternalError);
  await assert.rejects(
    waiting,
    (error) => error instanceof InternalError && error.cause instanceof WebAssembly.RuntimeError,
  );
  await Promise.all(aborted);
  for (const lock of locks) {
    assert.equal(lock.held, false);
    assert.ok(lock.signal.reason instanceof LockLostError);
    assert.ok(lock.signal.reason.cause instanceof InternalError);
    assert.equal(await lock.release(), "expired");
    assert.equal(await lock.verify(), false);
    await assert.rejects(lock.extend(), { code: "LOCK_LOST", cause: lock.signal.reason.cause });
  }
  assert.equal(events.filter(({ type }) => type === "lost").length, locks.length);

  // What was lost ends with its lease: nobody renews it, and a new lock has a larger fence.
  const next = await client.acquire("renewed", { ttl: 5_000, wait: 10_000 });
  assert.ok(next.fence > renewed.fence);
  assert.equal(plan.cores, 2);
  assert.equal(await next.release(), "released");
  assert.deepEqual(unhandled, []);
});

/** As in workerd: what one request made is out of reach for the next one. `next()` begins it. */
function inRequests(t) {
  let request = 0;
  const { AbortController } = globalThis;
  globalThis.AbortController = class extends AbortController {
    #made = request;
    get signal() {
      return Object.defineProperty(super.signal, "aborted", {
        configurable: true,
        get: () => {
          if (this.#made !== request) throw new Error("it belongs to another request");
          return false;
        },
      });
    }
  };
  t.after(() => {
    globalThis.AbortController = AbortController;
  });
  return {
    next: () => {
      request += 1;
    },
  };
}

test("wherever it traps, every promise settles, and the next call works", async (t) => {
  const unreached = [];
  const requests = inRequests(t);
  const refusal = Object.assign(new Error("not permitted"), { code: "ERR_ACCESS_DENIED" });
  let permitted = true;
  const options = {
    observe() {},
    prefix: "",
    retry: { min: 1, max: 1 },
    credentials: () => ({ password: "" }),
    transport: {
      connect: (...args) => (permitted ? nodeTransport.connect(...args) : Promise.reject(refusal)),
    },
  };
  for (const method of METHODS) {
    const { client, plan } = trappingClient(t, options);
    const key = `lock:in-${method}`;
    plan.trapIn = method;
    try {
      client.inspect();
      await client.acquire(`{${key}}:redlatch:fence:a`).catch((error) => {
        if (!(error instanceof TypeError)) throw error;
      });
      const lock = await client.acquire(key, { ttl: 5_000, wait: 10_000 });
      const aborted = AbortSignal.timeout(10);
      await Promise.allSettled([
        client.acquire(key, { signal: aborted }),
        client.acquire(key, { wait: 10 }),
        lock.extend(),
        lock.verify(),
      ]);
      assert.ok(lock.remaining <= 5_000);
      await server.send("CLIENT", "KILL", "SKIPME", "yes");
      await client.acquire(`${key}-again`);
      await lock.release();
      // So many that some are sent early.
      await Promise.all(Array.from({ length: 33 }, (_, at) => client.acquire(`${key}-${at}`)));
      requests.next();
      await client.acquire(`${key}-in-another-request`);
      permitted = method !== "obstructed";
      await server.send("CLIENT", "KILL", "SKIPME", "yes");
      await client.acquire(`${key}-refused`);
    } catch (error) {
      assert.ok(error instanceof InternalError, String(error));
    }
    permitted = true;
    const lock = await client.acquire(`${key}-next`, { ttl: 5_000 });
    assert.equal(lock.held, true);
    await client.close({ timeout: 500 });
    assert.match(await lock.release(), /^(released|unknown|expired)$/);
    if (plan.trapIn !== undefined) unreached.push(method);
  }
  assert.deepEqual(unreached, []);
  assert.deepEqual(unhandled, []);
});

test("a trap where a cluster is concerned is no other than those elsewhere", async (t) => {
  const cluster = await startCluster(t, { nodes: 2, rights: NEEDED_IN_CLUSTER });
  const [seed, other] = cluster.nodes;
  for (const method of IN_CLUSTERS) {
    const { client, plan } = trappingClient(t, { url: undefined, cluster: [seed.url] });
    plan.trapIn = method;
    await assert.rejects(client.acquire(await cluster.freshKeyOn(other)), InternalError, method);
    assert.equal(plan.trapIn, undefined);
    const lock = await client.acquire(await cluster.freshKeyOn(other));
    assert.equal(await lock.release(), "released");
  }
  assert.deepEqual(unhandled, []);
});

test("nor is one where sentinels are concerned", async (t) => {
  const group = await startSentinels(t, { replicas: 0, sentinels: 1 });
  for (const method of WITH_SENTINELS) {
    const { client, plan } = trappingClient(t, { url: undefined, sentinel: group.option });
    plan.trapIn = method;
    await assert.rejects(client.acquire(`lock:in-${method}`), InternalError, method);
    assert.equal(plan.trapIn, undefined);
    const lock = await client.acquire(`lock:in-${method}`);
    assert.equal(await lock.release(), "released");
  }
  assert.deepEqual(unhandled, []);
});
