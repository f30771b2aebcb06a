// Other Redis clients, each with the settings and the one-liner that the package's documentation gives for it.
import { once } from "node:events";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(new URL("../../clients/package.json", import.meta.url));
/** A client that tests/clients brings: `make` installs it there, or `npm ci` in that folder. */
export const load = async (name) => import(pathToFileURL(require.resolve(name)).href);

const ioredis = (name) =>
  async function open(scope, { port, user, password, ...options }) {
    const { Redis } = await load(name);
    const safe = { autoResendUnfulfilledCommands: false, enableOfflineQueue: false };
    const redis = new Redis(port, "127.0.0.1", {
      username: user,
      password,
      retryStrategy: () => 20,
      ...safe,
      ...options,
    });
    redis.on("error", () => {});
    scope.after(() => redis.disconnect());
    await once(redis, "ready");
    return ([name, ...args]) => redis.call(name, ...args);
  };

const nodeRedis = (name) =>
  async function open(scope, { port, user, password, ...options }) {
    const { createClient } = await load(name);
    const redis = createClient({
      username: user,
      password,
      socket: { host: "127.0.0.1", port, reconnectStrategy: 20 },
      disableOfflineQueue: true,
      ...options,
    });
    redis.on("error", () => {});
    await redis.connect();
    scope.after(() => (redis.destroy ? redis.destroy() : redis.disconnect()));
    return (args) => redis.sendCommand(args);
  };

async function openGlide(scope, { port, user, password, ...options }) {
  const { GlideClient, Logger } = await load("@valkey/valkey-glide");
  Logger.init("off");
  const glide = await GlideClient.createClient({
    addresses: [{ host: "127.0.0.1", port }],
    ...(user && { credentials: { username: user, password } }),
    ...options,
  });
  scope.after(() => glide.close());
  return (args) => glide.customCommand(args);
}

async function openBun(scope, { port, user, password, ...options }) {
  const { RedisClient } = await import("bun");
  const login = user ? `${user}:${password}@` : "";
  const redis = new RedisClient(`redis://${login}127.0.0.1:${port}`, {
    enableOfflineQueue: false,
    ...options,
  });
  scope.after(() => redis.close());
  await redis.connect();
  return ([name, ...args]) => redis.send(name, args);
}

/** By name: `open(scope, { port, user, password })` resolves to what `fromCommand` takes. More options go to the client. */
export const clients = {
  "ioredis 5": ioredis("ioredis5"),
  "ioredis 6": ioredis("ioredis6"),
  "node-redis 4": nodeRedis("redis4"),
  "node-redis 5": nodeRedis("redis5"),
  "node-redis 6": nodeRedis("redis6"),
  GLIDE: openGlide,
  "Bun's own": openBun,
};

const ioredisCluster = (name) =>
  async function open(scope, { ports, user, password, redisOptions, ...options }) {
    const { Cluster } = await load(name);
    const cluster = new Cluster(
      ports.map((port) => ({ host: "127.0.0.1", port })),
      {
        enableOfflineQueue: false,
        retryDelayOnFailover: 0,
        redisOptions: { username: user, password, autoResendUnfulfilledCommands: false, ...redisOptions },
        ...options,
      },
    );
    cluster.on("error", () => {});
    scope.after(() => cluster.disconnect());
    await once(cluster, "ready");
    return ([name, ...args]) => cluster.call(name, ...args);
  };

const nodeRedisCluster = (name) =>
  async function open(scope, { ports, user, password, ...options }) {
    const { createCluster } = await load(name);
    const cluster = createCluster({
      rootNodes: ports.map((port) => ({ socket: { host: "127.0.0.1", port } })),
      defaults: {
        username: user,
        password,
        disableOfflineQueue: true,
        socket: { reconnectStrategy: 20 },
        ...options,
      },
    });
    cluster.on("error", () => {});
    await cluster.connect();
    scope.after(() => (cluster.destroy ? cluster.destroy() : cluster.disconnect()));
    return (args) => cluster.sendCommand(args[3], false, args);
  };

async function openGlideCluster(scope, { ports, user, password, ...options }) {
  const { GlideClusterClient, Logger } = await load("@valkey/valkey-glide");
  Logger.init("off");
  const glide = await GlideClusterClient.createClient({
    addresses: ports.map((port) => ({ host: "127.0.0.1", port })),
    // It repeats TRYAGAIN for 2.6 s.
    requestTimeout: 3_000,
    ...(user && { credentials: { username: user, password } }),
    ...options,
  });
  scope.after(() => glide.close());
  return (args) => glide.customCommand(args);
}

/** The same for clusters: `open(scope, { ports, user, password })`, with the ports of some nodes. */
export const clusterClients = {
  "ioredis 5": ioredisCluster("ioredis5"),
  "ioredis 6": ioredisCluster("ioredis6"),
  "node-redis 4": nodeRedisCluster("redis4"),
  "node-redis 5": nodeRedisCluster("redis5"),
  "node-redis 6": nodeRedisCluster("redis6"),
  GLIDE: openGlideCluster,
};
