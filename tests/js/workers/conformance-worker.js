// The conformance tests, and what is specific to workerd, as a worker. Each request runs one test, because sockets belong to
// the request that opened them.
import * as redlatch from "redlatch";
import core from "redlatch/core.wasm";
import * as slim from "redlatch/slim";
import { run } from "../conformance/run.js";

/** Short leases have short deadlines, which a busy machine misses. */
const nodeTimeout = 2_000;

// Allowed in global scope, as nothing happens on import or here: neither timer nor randomness nor I/O.
const early = redlatch.createClient("redis://127.0.0.1:1");

// Clients of all requests, by name, and a lock of each.
const clients = new Map();
const locks = new Map();

const answers = {
  /** Does something with a client of the module's scope. */
  async shared({ url, name, verb, key, options }) {
    if (!clients.has(name)) clients.set(name, redlatch.createClient({ url, nodeTimeout }));
    const client = clients.get(name);
    const began = Date.now();
    const verbs = {
      acquire: async () => void locks.set(name, await client.acquire(key, options)),
      cycle: async () => (await client.acquire(key, options)).release(),
      /** Answers while the acquire waits, which nobody goes on with. */
      leave: async () => {
        client.acquire(key, options).catch(() => {});
        const isWaiting = () => client.inspect().counters.contended > 0;
        while (!isWaiting()) await new Promise((resolve) => setTimeout(resolve, 10));
      },
      using: () => client.using(key, options, () => new Promise((resolve) => setTimeout(resolve, 1_500))),
      verify: () => locks.get(name).verify(),
      release: () => locks.get(name).release(),
      close: () => client.close(),
    };
    let result;
    const outcome = await attempt(async () => {
      result = await verbs[verb]();
    });
    return { ...outcome, result, took: Date.now() - began };
  },

  async conformance({ name, world }) {
    return { problem: await run(name, redlatch, world) };
  },

  /** Answers while the lock is held; the rest happens afterwards. */
  async waitUntil({ url, key, ctx }) {
    const client = redlatch.createClient({ url, nodeTimeout });
    const lock = await client.acquire(key, { ttl: 60_000 });
    ctx.waitUntil(client.close());
    return { token: lock.token };
  },

  async slim({ url, key }) {
    const refusal = await attempt(() => slim.createClient(url));
    await slim.ready(core);
    const client = slim.createClient({ url, nodeTimeout });
    const outcome = await (await client.acquire(key)).release();
    await client.close();
    return { refusal, outcome };
  },

  async refused({ urls }) {
    const { ca, ...tls } = { ca: "-----BEGIN CERTIFICATE-----", servername: "other" };
    return Promise.all([
      ...urls.map((url) => attempt(() => redlatch.createClient(url))),
      attempt(() => redlatch.createClient({ url: "rediss://host", tls: { ca } })),
      attempt(() => redlatch.createClient({ url: "rediss://host", tls })),
    ]);
  },

  async failure({ url, key }) {
    const client = redlatch.createClient({ url, nodeTimeout });
    return attempt(() => client.tryAcquire(key).finally(() => client.close()));
  },

  async early({ key }) {
    return attempt(() => early.tryAcquire(key));
  },
};

async function attempt(call) {
  try {
    await call();
    return { none: true };
  } catch (error) {
    return { name: error.name, code: error.code, node: error.node, message: error.message };
  }
}

export default {
  async fetch(request, env, ctx) {
    const { pathname, searchParams } = new URL(request.url);
    if (pathname.startsWith("/holder/")) {
      return env.HOLDER.get(env.HOLDER.idFromName("one")).fetch(request);
    }
    const given = JSON.parse(searchParams.get("given"));
    return Response.json((await answers[pathname.slice(1)]({ ...given, world: env.WORLD, ctx })) ?? {});
  },
};

/** A Durable Object, whose client outlives its requests. */
export class Holder {
  #client;
  #lock;

  async fetch(request) {
    const { pathname, searchParams } = new URL(request.url);
    const { url, key } = JSON.parse(searchParams.get("given"));
    this.#client ??= redlatch.createClient({ url, nodeTimeout });
    switch (pathname) {
      case "/holder/acquire":
        this.#lock = await this.#client.acquire(key, { ttl: 2_000, renew: true });
        break;
      case "/holder/release":
        return Response.json({ outcome: await this.#lock.release() });
    }
    return Response.json({ held: this.#lock.held, lost: this.#lock.signal.aborted });
  }
}
