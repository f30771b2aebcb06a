// The servers that the conformance tests run against, and their control over HTTP: for tests in workerd and in browsers,
// which can neither start a process nor send it a signal.
import { nobody, startRedis } from "./redis.js";
import { ANY_PREFIX } from "./rights.js";
import { startSite } from "./site.js";
import { startTlsRedis } from "./tls-server.js";

/**
 * Starts the servers and the control: POST /control with { name, verb, args } answers { value } or { error }. The verbs are send (a
 * command), stop, start, pause, resume and restore, which undoes the others. `site`: more folders and routes for the same web server.
 *
 * Returns { url: of the web server, servers: their URLs by name, authority: a file, that which has signed the TLS server's
 * certificate, send(...command): to the server main, world: what the tests need to know }.
 */
export async function startWorld(scope, site = {}) {
  const running = Object.fromEntries(
    await Promise.all(
      ["main", "a", "b", "victim"].map(async (name) => [
        name,
        await startRedis(scope, { rights: ANY_PREFIX }),
      ]),
    ),
  );
  const { tlsPort, authority } = await startTlsRedis(scope);
  const servers = {
    ...Object.fromEntries(Object.entries(running).map(([name, { url }]) => [name, url])),
    down: nobody[0].url,
    tls: `rediss://localhost:${tlsPort}`,
    tlsOfAnother: `rediss://127.0.0.2:${tlsPort}`,
  };
  const stopped = new Set();
  const verbs = {
    send: (name, args) => running[name].send(...args),
    pause: (name) => running[name].pause(),
    resume: (name) => running[name].resume(),
    async stop(name) {
      stopped.add(name);
      await running[name].stop();
    },
    async start(name) {
      const { port, folder } = running[name];
      running[name] = await startRedis(scope, { port, folder, rights: ANY_PREFIX });
      stopped.delete(name);
    },
    async restore(name) {
      if (stopped.has(name)) await verbs.start(name);
      else verbs.resume(name);
    },
  };
  const control = async (body) => {
    const { name, verb, args } = JSON.parse(body);
    let answer;
    try {
      answer = { value: await verbs[verb](name, args) };
    } catch (error) {
      answer = { error: error.message };
    }
    return { type: "application/json", body: JSON.stringify(answer) };
  };
  const { url } = await startSite(scope, { ...site, routes: { ...site.routes, "/control": control } });
  const send = (...args) => running.main.send(...args);
  return { url, authority, servers, send, world: { control: `${url}/control`, servers } };
}
