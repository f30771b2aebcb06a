// What a conformance test works with: clients, keys, and control over the servers.

let keys = 0;

/** { stage, close() }: what a test gets, and a function that ends all of it. */
export function openStage(redlatch, { control, servers }, optionsFor) {
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
        ...optionsFor(urls),
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
    /** Runs a command on a server, without the package. */
    send: (...command) => tell("main", "send", ...command),
    sendTo: (name, ...command) => tell(name, "send", ...command),
    /** "stop" (as by a crash), "start", "pause", "resume" or "restore"; a server that was changed is restored at the end. */
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
