// Real redis-server processes on free loopback ports.
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { signal, tend } from "./children.js";
import { settles } from "./conditions.js";
import { ADMIN, adminClient, rawClient } from "./raw-client.js";
import { ALL, NEEDED } from "./rights.js";

/** A loopback port that was free a moment ago. */
export async function freePort() {
  const server = createServer();
  await new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/**
 * A port that the system gives to nobody else while its server is down: below those that it hands out. It may be in use, though.
 * On Linux only.
 */
export function lastingPort() {
  const lowest = Number(readFileSync("/proc/sys/net/ipv4/ip_local_port_range", "utf8").split(/\s/)[0]);
  return randomInt(10_000, Math.max(lowest, 10_100));
}

/** Addresses where nobody listens, now or later: their ports are below the range from which systems hand out free ones. */
export const nobody = Array.from({ length: 7 }, (_, at) => ({
  port: 1 + at,
  url: `redis://127.0.0.1:${1 + at}`,
}));

/** Whether this machine has ::1. */
export function hasIPv6() {
  return new Promise((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(0, "::1", () => probe.close(() => resolve(true)));
  });
}

/**
 * Starts a redis-server and waits until it answers. `scope` is a test context or { after }: the server ends with it.
 * `config`: redis-server options by name, a list for several arguments; "tls-port" or "cluster-port": "free" is a port that `tlsPort` or `busPort` names. `folder`: where it keeps its files; its own by default.
 * `lasting`: its ports are for good, see {@link lastingPort}.
 * `rights`: what the default user, who is in `url`, may do: by default no more than the README asks for. `sentinel`: the
 * lines of a sentinel's configuration, to make it one.
 */
export async function startRedis(
  scope,
  { config = {}, port, password, folder, lasting = false, rights = NEEDED, sentinel } = {},
) {
  const ownFolder = folder === undefined;
  folder ??= mkdtempSync(join(tmpdir(), "redlatch-redis-"));
  if (ownFolder) scope.after(() => rmSync(folder, { recursive: true, force: true }));

  const anyPort = lasting ? lastingPort : freePort;
  // Another process can take a free port before redis-server does; then the next one is tried.
  for (let attempt = 1; ; attempt += 1) {
    const chosen = port ?? (await anyPort());
    const login = password === undefined ? "nopass" : `>${password}`;
    const options = { ...config };
    for (const name of ["tls-port", "cluster-port"]) {
      if (options[name] === "free") options[name] = await anyPort();
    }
    const ports = { port: chosen, tlsPort: options["tls-port"], busPort: options["cluster-port"] };
    const user = ["default", "on", login, ...rights];
    const server = await launch(chosen, folder, options, user, sentinel);
    if (server.ready) return runningRedis(scope, server, { ...ports, folder, password });
    if (attempt === 5 || port !== undefined)
      throw new Error(`redis-server did not start:\n${server.log.join("\n")}`);
  }
}

const WITH_KEYS = {
  save: "",
  appendonly: "no",
  "enable-debug-command": "yes",
  // For replicas.
  masteruser: ADMIN.user,
  masterauth: ADMIN.password,
};

async function launch(port, folder, config, user, sentinel) {
  const options = {
    bind: "127.0.0.1",
    port,
    dir: folder,
    ...(sentinel === undefined ? WITH_KEYS : {}),
    ...config,
  };
  const admin = [ADMIN.user, "on", `>${ADMIN.password}`, ...ALL];
  const file = sentinel === undefined ? undefined : join(folder, `sentinel-${port}.conf`);
  // A sentinel writes into its file what it learns, and its users. One that is started again goes on with that.
  const isKnown = file !== undefined && existsSync(file);
  if (file !== undefined && !isKnown) writeFileSync(file, `${sentinel.join("\n")}\n`);
  const users = isKnown ? [] : [user, admin].map((each) => ["user", each]);
  const args = [...Object.entries(options), ...users].flatMap(([name, value]) => [
    `--${name}`,
    ...[value].flat().map(String),
  ]);
  if (file !== undefined) args.unshift(file, "--sentinel");
  const child = spawn("redis-server", args, { stdio: ["ignore", "pipe", "pipe"] });
  const exit = tend(child);
  const log = [];
  // The server's own word is the proof that this very process listens, and not a stranger on the same port.
  const listening = new Promise((resolve) => {
    child.once("error", (error) => {
      log.push(String(error));
      resolve(false);
    });
    createInterface({ input: child.stdout }).on("line", (line) => {
      log.push(line);
      if (/Ready to accept connections|Sentinel ID is/.test(line)) resolve(true);
    });
    exit.then(() => resolve(false));
  });
  const ready = await settles(listening, 30_000, "the start of redis-server").catch((error) => {
    log.push(String(error));
    return false;
  });
  // One that is late would keep the port from the next.
  if (!ready) signal(child, "SIGKILL");
  return { child, exit, log, ready };
}

async function runningRedis(scope, { child, exit, log }, { port, tlsPort, busPort, folder, password }) {
  const auth = password === undefined ? "" : `:${encodeURIComponent(password)}@`;
  const clients = [];
  const kept = (client) => {
    clients.push(client);
    return client;
  };
  const server = {
    port,
    tlsPort,
    busPort,
    folder,
    log,
    exit,
    url: `redis://${auth}127.0.0.1:${port}`,
    /** A new raw connection, on which everything is allowed. */
    async connect(address = { host: "127.0.0.1", port }) {
      return kept(await adminClient(address));
    },
    /** A new raw connection, on which nobody has logged in. */
    async dial(address = { host: "127.0.0.1", port }) {
      return kept(await rawClient(address));
    },
    /** Sends one command on a connection of the helper's own. */
    async send(...args) {
      // A sentinel ends all connections to a server that it makes a replica.
      if (!server.own?.isOpen) server.own = await server.connect();
      return server.own.send(...args);
    },
    pause() {
      signal(child, "SIGSTOP");
    },
    resume() {
      signal(child, "SIGCONT");
    },
    /** SIGKILL works on a stopped process too; there is nothing to save. */
    async stop() {
      for (const client of clients.splice(0)) client.close();
      server.own = undefined;
      signal(child, "SIGKILL");
      await exit;
    },
  };
  scope.after(() => server.stop());
  return server;
}
