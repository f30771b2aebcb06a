// What a user may do on a cluster with ACLs: the README's line and two rights more suffice, and neither is too much. The other
// tests of clusters have exactly these rights.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import { assertLockError } from "../support/assertions.js";
import { freshKey, openClient } from "../support/clients.js";
import { startCluster } from "../support/cluster.js";
import { rejection, settles, until } from "../support/conditions.js";
import { ServerError } from "../support/redlatch.js";
import { NEEDED_IN_CLUSTER } from "../support/rights.js";

const cluster = await startCluster({ after }, { nodes: 2 });
const [one, other] = cluster.nodes;

let users = 0;
/** A client of a new user, who has these rights and no others. */
async function openAs(t, rights) {
  users += 1;
  for (const node of cluster.nodes) await node.send("ACL", "SETUSER", `user${users}`, "on", ">pw", ...rights);
  return openClient(t, undefined, {
    cluster: [`redis://user${users}:pw@127.0.0.1:${one.port}`],
    wait: 10_000,
  });
}

test("everything that a lock does on each server, and in a slot that moves", async (t) => {
  const [client, peer] = [await openAs(t, NEEDED_IN_CLUSTER), await openAs(t, NEEDED_IN_CLUSTER)];
  for (const node of cluster.nodes) {
    for (const fair of [false, true]) {
      const key = await cluster.freshKeyOn(node, () => `{${freshKey()}}a`);
      const lock = await client.acquire([key, `${key}b`], { fair });
      await lock.extend();
      assert.equal(await lock.verify(), true);
      const heir = await peer.adopt(JSON.parse(JSON.stringify(lock)));
      const { contended } = client.inspect().counters;
      const turn = client.acquire(key, { fair });
      turn.catch(() => {});
      await until(() => client.inspect().counters.contended > contended, { what: "the first attempt" });
      assert.equal(await heir.release(), "released");
      assert.equal(await (await settles(turn, 5_000, "the turn")).release(), "released");
    }
  }
  assert.ok(client.inspect().nodes.every(({ wakes }) => wakes));
  const key = await cluster.freshKeyOn(one, () => `{${freshKey()}}`);
  const lock = await client.acquire(key, { ttl: 30_000 });
  const slot = await cluster.slotOf(`lock:${key}`);
  await cluster.beginMove(slot, one, other);
  await cluster.moveKeys(slot, one, other);
  await lock.extend();
  await cluster.endMove(slot, other);
  assert.equal(await lock.release(), "released");
});

for (const right of ["+cluster|slots", "+asking"]) {
  test(`without ${right}, the error names what is missing`, async (t) => {
    const client = await openAs(
      t,
      NEEDED_IN_CLUSTER.filter((each) => each !== right),
    );
    const key = await cluster.freshKeyOn(one, () => `{${freshKey()}}`);
    const slot = await cluster.slotOf(`lock:${key}`);
    if (right === "+asking") {
      await cluster.beginMove(slot, one, other);
      t.after(() => cluster.endMove(slot, other));
    }
    const error = await rejection(client.acquire(key, { wait: 3_000 }), 10_000);
    assertLockError(error, {
      type: ServerError,
      code: "LOCK_SERVER",
      prefix: "NOPERM",
      says: [/asking|cluster/],
    });
  });
}
