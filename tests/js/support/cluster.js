// Real Redis clusters on loopback, whose slots a test moves from node to node, in one go or step by step.
import { freshKey } from "./clients.js";
import { until } from "./conditions.js";
import { ADMIN } from "./raw-client.js";
import { startRedis } from "./redis.js";

const SLOTS = 16_384;
const CONFIG = {
  "cluster-enabled": "yes",
  "cluster-port": "free",
  // A node that has met no other does not know its own address, and names none to clients.
  "cluster-announce-ip": "127.0.0.1",
  // So that the death of one node concerns its own slots only.
  "cluster-require-full-coverage": "no",
  // No node takes another for dead because the machine is busy; one that is back is served at once.
  "cluster-node-timeout": 60_000,
  // For replicas, which otherwise wait for each other for 5 s.
  "repl-diskless-sync-delay": 0,
};

/**
 * Starts a cluster of `nodes` masters, which share the slots evenly, and `replicas` of each. It is up when this resolves.
 * `config`, `rights` and `lasting` are as for {@link startRedis}, whose servers the nodes are; each has its `id` in the cluster too.
 */
export async function startCluster(
  scope,
  { nodes: count = 3, replicas = 0, config = {}, rights, lasting } = {},
) {
  const start = async (_, at) => {
    const node = await startRedis(scope, { config: { ...CONFIG, ...config }, rights, lasting });
    // Different ones from the start, because two masters with the same would first have to notice.
    await node.send("CLUSTER", "SET-CONFIG-EPOCH", at + 1);
    return Object.assign(node, { id: await node.send("CLUSTER", "MYID") });
  };
  const all = await Promise.all(Array.from({ length: count * (1 + replicas) }, start));
  const state = { isReplicated: false };
  const cluster = clusterOf(scope, all, count, { config, rights, state });
  const bound = (at) => Math.floor((SLOTS * at) / count);
  for (const [at, node] of cluster.nodes.entries()) {
    await node.send("CLUSTER", "ADDSLOTSRANGE", bound(at), bound(at + 1) - 1);
  }
  for (const node of all.slice(1)) {
    await all[0].send("CLUSTER", "MEET", "127.0.0.1", node.tlsPort ?? node.port, node.busPort);
  }
  await cluster.untilUp();
  for (const [at, node] of cluster.replicas.entries()) {
    await node.send("CLUSTER", "REPLICATE", cluster.nodes[at % count].id);
    await untilConnected(node);
  }
  state.isReplicated = true;
  await cluster.untilUp();
  return cluster;
}

/** Until a replica gets what its master writes. */
const untilConnected = (replica) =>
  until(async () => /master_link_status:up/.test(await replica.send("INFO", "replication")), {
    within: 30_000,
    what: "the replica's connection",
  });

function clusterOf(scope, all, count, { state, ...options }) {
  /** Those that were stopped by methods of the cluster. */
  const silent = new Set();
  const speaking = () => all.filter((node) => !silent.has(node));
  /** Asks a server; undefined if it was killed meanwhile. */
  const ask = (node, ...words) =>
    node.send(...words).catch((error) => {
      if (!silent.has(node)) throw error;
    });
  const mapsOf = async (nodes) => {
    const maps = await Promise.all(nodes.map((node) => ask(node, "CLUSTER", "SLOTS")));
    return maps.filter((map) => map !== undefined);
  };
  const roleOf = async (node) => /^role:(\w+)/m.exec(await ask(node, "INFO", "replication"))?.[1];
  const masters = async () => {
    const roles = await Promise.all(speaking().map(roleOf));
    return speaking().filter((_, at) => roles[at] === "master");
  };
  const cluster = {
    /** The masters that it began with. */
    nodes: all.slice(0, count),
    /** The replicas: the k-th is one of the master k modulo their number. */
    replicas: all.slice(count),

    /** Until each node has all others for connected, each as what it is, and all slots for served. */
    async untilUp() {
      const isUp = async (node) => {
        const info = await node.send("CLUSTER", "INFO");
        const lines = (await node.send("CLUSTER", "NODES")).trim().split("\n");
        const replicas = lines.filter((line) => / (?:myself,)?slave /.test(line)).length;
        return (
          info.includes("cluster_state:ok") &&
          info.includes(`cluster_slots_ok:${SLOTS}`) &&
          lines.length === all.length &&
          replicas === (state.isReplicated ? cluster.replicas.length : 0) &&
          lines.every((line) => line.includes(" connected") && !/fail|handshake|noaddr/.test(line))
        );
      };
      for (const node of all) await until(() => isUp(node), { within: 60_000, what: "the cluster" });
    },

    /** Until all nodes give that port to clients as the node's: they learn it from each other. */
    async untilPortKnown({ id }, port) {
      const isKnown = async (node) =>
        new RegExp(`^${id} 127\\.0\\.0\\.1:${port}@`, "m").test(await node.send("CLUSTER", "NODES"));
      for (const node of all) await until(() => isKnown(node), { within: 30_000, what: "the port" });
    },

    /** The slot of a server's key. */
    slotOf: (key) => ask(speaking()[0], "CLUSTER", "KEYSLOT", key),

    /** The master that has the slot of a server's key, as `witness` says; undefined if it knows none. */
    async ownerOf(key, witness = speaking()[0]) {
      const slot = await cluster.slotOf(key);
      const ranges = await ask(witness, "CLUSTER", "SLOTS");
      const range = ranges?.find(([from, to]) => from <= slot && slot <= to);
      return all.find((node) => node.port === range?.[2][1]);
    },

    /** Whether all servers that speak name that one as the master of the slot. */
    async isKnown(slot, { port }) {
      const maps = await mapsOf(speaking());
      return maps.every((map) =>
        map.some(([from, to, master]) => from <= slot && slot <= to && master[1] === port),
      );
    },

    /** Until all servers that speak name the same master of the slot. */
    untilAgreed: (slot) =>
      until(
        async () => {
          const known = (await masters()).map((master) => cluster.isKnown(slot, master));
          return (await Promise.all(known)).includes(true);
        },
        { within: 30_000, what: "one view of the slot" },
      ),

    /** The servers of a shard, by the number of the master that it began with. */
    shard: (number) => all.filter((_, at) => at % count === number),

    /** Until all servers that speak, itself included, name the same server of the shard as its master; resolves to it. */
    async untilMaster(number) {
      const mine = cluster.shard(number).filter((node) => !silent.has(node));
      const named = async () => {
        const maps = await mapsOf(speaking());
        return mine.find(({ port }) => maps.every((map) => map.some(([, , master]) => master[1] === port)));
      };
      return until(named, { within: 20_000, what: "the shard's master" });
    },

    /** Makes a replica of the shard its master, without a loss; resolves to it. */
    async failOver(number) {
      const mine = cluster.shard(number);
      const roles = await Promise.all(mine.map(roleOf));
      const heir = mine[roles.indexOf("slave")];
      const isMaster = async () => (await roleOf(heir)) === "master";
      // It gives up after 5 s, if its master did not hear it.
      const takesOver = async () => {
        await heir.send("CLUSTER", "FAILOVER");
        return until(isMaster, { within: 6_000 }).catch(isMaster);
      };
      await until(takesOver, { within: 20_000, what: "the failover" });
      await until(async () => (await cluster.untilMaster(number)) === heir, {
        what: "the word of the failover",
      });
      await cluster.untilReplicated(number);
      return heir;
    },

    /** Until the replicas of a shard get what its master writes. */
    async untilReplicated(number) {
      const master = await cluster.untilMaster(number);
      for (const node of cluster.shard(number)) if (node !== master) await untilConnected(node);
    },

    /** Kills a server. */
    async kill(node) {
      silent.add(node);
      await node.stop();
    },

    /** Stops a server, so that it goes on later with all that it has got meanwhile. */
    pause(node) {
      silent.add(node);
      node.pause();
    },

    resume(node) {
      node.resume();
      silent.delete(node);
    },

    /** The name of a lock that nobody has used, and whose keys are on that node. */
    async freshKeyOn(node, make = freshKey) {
      for (;;) {
        const name = make();
        if ((await cluster.ownerOf(`lock:${name}`)) === node) return name;
      }
    },

    /** First step of a move: the source sends clients away for keys that it does not have, to the target. */
    async beginMove(slot, from, to) {
      await to.send("CLUSTER", "SETSLOT", slot, "IMPORTING", from.id);
      await from.send("CLUSTER", "SETSLOT", slot, "MIGRATING", to.id);
    },

    /** Second step: the keys, at most `most` of them; resolves to their names. */
    async moveKeys(slot, from, to, most = 1_000) {
      const keys = await from.send("CLUSTER", "GETKEYSINSLOT", slot, most);
      if (keys.length > 0) {
        const login = ["AUTH2", ADMIN.user, ADMIN.password];
        await from.send("MIGRATE", "127.0.0.1", to.port, "", 0, 5_000, ...login, "KEYS", ...keys);
      }
      return keys;
    },

    /** Last step: the slot is the target's. It learns first, so that there is always one who serves. `told`: who is told besides. */
    async endMove(slot, to, told) {
      for (const node of [to, ...(told ?? (await masters())).filter((each) => each !== to)]) {
        await node.send("CLUSTER", "SETSLOT", slot, "NODE", to.id);
      }
    },

    /** Gives a move up: whatever has been moved is out of reach then. */
    async cancelMove(slot) {
      for (const node of await masters()) await ask(node, "CLUSTER", "SETSLOT", slot, "STABLE");
    },

    async moveSlot(slot, from, to) {
      await cluster.beginMove(slot, from, to);
      while ((await cluster.moveKeys(slot, from, to)).length > 0);
      await cluster.endMove(slot, to);
    },

    /** Starts a node that was stopped, with the same address and slots, and without its keys. */
    async restart(node) {
      const { port, busPort, folder, id } = node;
      const config = { ...CONFIG, ...options.config, "cluster-port": busPort };
      const again = await startRedis(scope, { ...options, config, port, folder });
      for (const list of [all, cluster.nodes, cluster.replicas]) {
        const at = list.indexOf(node);
        if (at >= 0) list[at] = again;
      }
      silent.delete(node);
      await cluster.untilUp();
      return Object.assign(again, { id });
    },
  };
  return cluster;
}
