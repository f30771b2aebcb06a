// Runs one of the essential tests, in whatever runtime this is.
import { failures } from "./failures.js";
import { holding } from "./holding.js";
import { locking } from "./locking.js";
import { redlock } from "./redlock.js";
import { releasing } from "./releasing.js";
import { waiting } from "./waiting.js";

/** The tests by name: functions of what `stageOf` makes. */
export const tests = { ...locking, ...waiting, ...holding, ...releasing, ...redlock, ...failures };

/** ms for one test. */
const LIMIT = 20_000;

/**
 * Runs the test `name` with the package `redlatch`. `world`: { control, servers }, as support/world.js makes it; `options`: what clients
 * need to get to a server from here. Returns undefined when all is well, or what went wrong as text.
 */
export async function run(name, redlatch, world, options = {}) {
  const { stage, close } = stageOf(redlatch, world, options);
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${LIMIT} ms`)), LIMIT);
  });
  try {
    await Promise.race([tests[name](stage), late]);
    return undefined;
  } catch (error) {
    return String(error?.stack ?? error);
  } finally {
    clearTimeout(timer);
    await close();
  }
}

let keys = 0;

/** What a test has to play with, and a function that ends all of it. */
function stageOf(redlatch, { control, servers }, options) {
  const clients = [];
  const changed = new Set();
  const tell = async (name, verb, ...args) => {
    const response = await fetch(control, { method: "POST", body: JSON.stringify({ name, verb, args }) });
    const { value, error } = await response.json();
    if (error !== undefined) throw new Error(error);
    return value;
  };
  const stage = {
    redlatch,
    /** A client of one of the servers, or of several, that is closed with the test. */
    connect(where = "main", more = {}) {
      const urls = [where].flat().map((name) => servers[name]);
      const client = redlatch.createClient({
        ...(Array.isArray(where) ? { nodes: urls } : { url: urls[0] }),
        // Short leases have short deadlines, which a busy machine misses; no test here is about them.
        nodeTimeout: 2_000,
        ...options,
        ...more,
      });
      clients.push(client);
      return client;
    },
    /** A key that no other test uses. */
    key(name = "key") {
      keys += 1;
      return `${name}-${crypto.randomUUID().slice(0, 8)}-${keys}`;
    },
    /** Runs a command on a server, past the package. */
    send: (...command) => tell("main", "send", ...command),
    sendTo: (name, ...command) => tell(name, "send", ...command),
    /** "stop" (as by a crash), "start", "pause" or "resume"; at the end, all is as it was. */
    async turn(name, verb) {
      changed.add(name);
      await tell(name, verb);
    },
    /** `host:port`, as errors name the server. */
    addressOf: (name) => servers[name].replace(/^.*[/@]/, ""),
    servers,
  };
  const close = async () => {
    await Promise.all(clients.map((client) => client.close({ timeout: 200 })));
    for (const name of changed) await tell(name, "restore");
  };
  return { stage, close };
}
