// Scene: locks in a Redis Cluster of three primaries and three replicas, of which a primary is killed and a slot is moved.
import { startCluster } from "../js/support/cluster.js";
import { until } from "../js/support/conditions.js";
import { createClient } from "../js/support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../js/support/rights.js";
import { bold, print, showCountdown } from "./display.js";
import { result } from "./stage.js";

const HELD = 60;
/** ms: two thirds of it outlast the failover. */
const LEASE = 9_000;
/** ms after which the servers miss one that is silent; 15 000 by default. */
const MISSED = 1_000;

export async function cluster({ scope }) {
  print(
    bold(
      `6. A Redis Cluster of six servers: ${HELD} renewed locks, while a primary is killed and a slot is moved`,
    ),
  );
  const servers = await startCluster(scope, {
    replicas: 1,
    rights: NEEDED_IN_CLUSTER,
    config: { "cluster-node-timeout": MISSED },
  });
  const client = createClient({ cluster: servers.nodes.map(({ url }) => url), wait: 20_000 });
  scope.after(() => client.close());
  const names = Array.from({ length: HELD }, (_, at) => `job:${at}`);
  const held = await Promise.all(names.map((name) => client.acquire(name, { ttl: LEASE, renew: true })));

  const [doomed, from, to] = servers.nodes;
  const free = await servers.freshKeyOn(doomed);
  const killed = performance.now();
  await servers.kill(doomed);
  const waiting = showCountdown(
    "a primary is killed; its replica takes over in",
    () => killed + 4_000 - performance.now(),
  );
  const lock = await client.acquire(free);
  waiting.stop();
  const outage = performance.now() - killed;
  print(`  a primary was killed: the next lock on it was granted after ${(outage / 1_000).toFixed(1)} s`);
  await lock.release();

  const moved =
    names[(await Promise.all(names.map((name) => servers.ownerOf(`lock:${name}`)))).indexOf(from)];
  const slot = await servers.slotOf(`lock:${moved}`);
  await servers.moveSlot(slot, from, to);
  const { renewed } = client.inspect().counters;
  await until(() => client.inspect().counters.renewed >= renewed + HELD, {
    within: LEASE,
    what: "the renewals",
  });
  print(`  slot ${slot} was moved, and all locks were renewed since`);
  print();

  const { lost } = client.inspect().counters;
  const outcomes = await Promise.all(held.map((each) => each.release()));
  const released = outcomes.filter((outcome) => outcome === "released").length;
  return [
    result("cluster, locks lost", 0, lost, lost === 0),
    result("cluster, locks released", HELD, released, released === HELD),
    result("cluster, outage seen", "some seconds", `${(outage / 1_000).toFixed(1)} s`, outage < 20_000),
  ];
}
