// Servers that only the core has learnt of: how they are dialled, named and listed.
import assert from "node:assert/strict";
import { test } from "node:test";
import { ConnectionError, ServerError } from "../../../pkg/dist/errors/errors.js";
import * as fake from "./support/fake-core.js";
import { start } from "./support/harness.js";

const { settle } = fake;
const SEEDS = ["redis://u:canary@127.0.0.1:1", "redis://u:canary@127.0.0.1:2"];

/** A client of a cluster, whose core has learnt of more servers; an acquire is pending. */
function startCluster(
  cluster = SEEDS,
  options = {},
  learnt = { 2: "127.0.0.1:3", 3: "::1:4", 4: "10.0.0.1:5" },
) {
  const parts = start({ url: undefined, allowPlaintextAuth: false, cluster, ...options }, (core) => {
    core.learnt = learnt;
  });
  const first = parts.client.acquire("first");
  first.catch(() => {});
  const [core] = parts.cores;
  const connect = async (...pairs) => {
    for (const [connection, node] of pairs) core.queue(fake.KIND.connect, connection, node);
    parts.client.acquire("more").catch(() => {});
    await settle();
  };
  const closed = () => core.calls.filter(([name]) => name === "closed");
  return { ...parts, core, first, connect, closed };
}

const dialled = ({ dials }) => dials.map(({ address: { host, port, tls } }) => [host, port, tls]);

test("the core gets the seeds, and then their addresses as the cluster announces them", () => {
  const { core } = startCluster({ seeds: SEEDS, natMap: { "10.9.9.9:1": "127.0.0.1:1" } });
  assert.deepEqual(core.calls.slice(0, 3), [
    ["add_node", "u", "canary", 0, false, false],
    ["add_node", "u", "canary", 0, false, false],
    ["cluster", "10.9.9.9:1\n127.0.0.1:2"],
  ]);
});

test("without a cluster, the core is not asked for addresses", async () => {
  const { client, cores } = start();
  client.acquire("k").catch(() => {});
  const [core] = cores;
  core.queue(fake.KIND.connect, 9, 0);
  core.queue(fake.KIND.connect, 10, 5);
  await settle();
  client.inspect();
  assert.equal(core.count("cluster") + core.count("address"), 0);
});

test("seeds and learnt servers are dialled at their addresses", async () => {
  const { transport, core, connect } = startCluster();
  await connect([9, 1], [10, 2], [11, 3], [12, 2]);
  assert.deepEqual(dialled(transport), [
    ["127.0.0.1", 2, false],
    ["127.0.0.1", 3, false],
    ["::1", 4, false],
    ["127.0.0.1", 3, false],
  ]);
  assert.equal(core.count("address"), 2, "once for each server");
  transport.dials[1].resolve();
  await settle();
  assert.deepEqual(core.calls.at(-2), ["connected", 10]);
});

test("a server that must not be connected to is a connection that failed, and nothing is dialled", async () => {
  const { transport, core, connect, closed, first } = startCluster();
  await connect([9, 4]);
  assert.deepEqual(transport.dials, []);
  const [[, id, reason]] = closed();
  assert.equal(id, 9);
  assert.match(reason, /^refusing to connect to 10\.0\.0\.1:5, which the cluster names: .*cluster\.allow$/);
  core.queue(
    ...fake.failed(1, { code: fake.CODE.connection, node: 4, cause: fake.CAUSE.transport, connection: 9 }),
  );
  core.details.push(reason);
  await connect();
  await assert.rejects(first, (error) => {
    assert.ok(error instanceof ConnectionError);
    assert.equal(error.node, "10.0.0.1:5");
    assert.equal(error.message, `lock "first": ${reason}`);
    assert.equal(error.cause.message, reason);
    return true;
  });
});

test("the application's functions are called outside of the core, once for each connection", async () => {
  const asked = [];
  let busy = false;
  const outside = () => assert.equal(busy, false, "not within a call of the core");
  const natMap = (address) => {
    outside();
    asked.push(address);
    return address === "10.0.0.1:5" ? "127.0.0.9:6" : undefined;
  };
  const allow = (host, port) => {
    outside();
    asked.push([host, port]);
    return true;
  };
  const { transport, core, connect } = startCluster({ seeds: SEEDS, natMap, allow });
  for (const method of ["poll", "address", "inspect", "connected", "closed"]) {
    const own = core[method].bind(core);
    core[method] = (...args) => {
      busy = true;
      try {
        return own(...args);
      } finally {
        busy = false;
      }
    };
  }
  await connect([9, 0], [10, 4]);
  await connect([11, 4]);
  assert.deepEqual(dialled(transport), [
    ["127.0.0.1", 1, false],
    ["127.0.0.9", 6, false],
    ["127.0.0.9", 6, false],
  ]);
  assert.deepEqual(asked, ["10.0.0.1:5", ["127.0.0.9", 6], "10.0.0.1:5", ["127.0.0.9", 6]]);
});

test("a function that calls the client back, or throws, does no harm", async () => {
  const parts = startCluster({
    seeds: SEEDS,
    natMap: (address) => {
      parts.client.inspect();
      parts.client.acquire("inner").catch(() => {});
      if (address === "10.0.0.1:5") throw new Error("no way there");
      return undefined;
    },
  });
  await parts.connect([9, 4], [10, 2]);
  assert.deepEqual(parts.closed(), [["closed", 9, "10.0.0.1:5: cluster.natMap failed: no way there"]]);
  assert.deepEqual(dialled(parts.transport), [["127.0.0.1", 3, false]]);
  assert.equal(parts.cores.length, 1, "no trap");
});

test("credentials are asked for learnt servers too, but not for those that are refused", async () => {
  let asked = 0;
  const credentials = () => {
    asked += 1;
    return { password: "canary" };
  };
  const seeds = ["redis://127.0.0.1:1", "redis://127.0.0.1:2"];
  const { transport, connect, closed } = startCluster(seeds, { credentials });
  await connect([9, 4]);
  assert.equal(asked, 0);
  assert.equal(closed().length, 1);
  await connect([10, 2]);
  assert.equal(asked, 1);
  assert.deepEqual(dialled(transport), [["127.0.0.1", 3, false]]);
});

test("over TLS, an IP address is verified as a seed, and a name as itself", async () => {
  const { transport, connect } = startCluster(
    ["rediss://u:canary@a.x.example", "rediss://u:canary@b.x.example"],
    {},
    {
      2: "c.x.example:7000",
      3: "10.0.0.1:7000",
    },
  );
  await connect([9, 0], [10, 2], [11, 3]);
  assert.deepEqual(
    transport.dials.map(({ address: { host, tls, tlsOptions } }) => [host, tls, tlsOptions.servername]),
    [
      ["a.x.example", true, undefined],
      ["c.x.example", true, undefined],
      ["10.0.0.1", true, "a.x.example"],
    ],
  );
});

test("errors, votes and events name learnt servers, and `inspect` lists them behind the seeds", async () => {
  const events = [];
  const { client, core, connect, first } = startCluster(SEEDS, { observe: (event) => events.push(event) });
  const idle = { state: "idle", pending: 0, wakes: false };
  const fault = { code: "LOCK_SERVER", prefix: "TRYAGAIN", message: "TRYAGAIN no" };
  core.snapshot = { ...core.snapshot, nodes: [idle, idle, { ...idle, state: "ready" }, { ...idle, fault }] };
  core.queue(fake.KIND.connection, 3, 0);
  core.queue(...fake.failed(1, { code: fake.CODE.server, node: 3 }));
  core.details.push("MOVED", "MOVED 7495 127.0.0.1:3");
  await connect();
  assert.deepEqual(events, [{ type: "connection", node: "[::1]:4", state: "ready" }]);
  await assert.rejects(first, (error) => {
    assert.ok(error instanceof ServerError);
    assert.equal(error.node, "[::1]:4");
    assert.equal(error.message, 'lock "first": [::1]:4: MOVED 7495 127.0.0.1:3', "it is followed already");
    return true;
  });
  const { nodes } = client.inspect();
  assert.deepEqual(
    nodes.map(({ node, state }) => [node, state]),
    [
      ["127.0.0.1:1", "idle"],
      ["127.0.0.1:2", "idle"],
      ["127.0.0.1:3", "ready"],
      ["[::1]:4", "idle"],
    ],
  );
  assert.equal(nodes[3].fault.message, "[::1]:4: TRYAGAIN no");
  await client.close();
  assert.deepEqual(
    client.inspect().nodes.map(({ node, state }) => [node, state]),
    [
      ["127.0.0.1:1", "closed"],
      ["127.0.0.1:2", "closed"],
    ],
  );
});

test("an error that concerns no single server names the seeds", async () => {
  const { core, connect, first } = startCluster();
  core.queue(...fake.failed(1, { code: fake.CODE.connection }));
  core.details.push("no server answered");
  await connect();
  await assert.rejects(first, { node: "127.0.0.1:1, 127.0.0.1:2" });
});

test("a core that comes after a trap has learnt of nothing yet", async () => {
  const { client, cores, transport, core, connect, first } = startCluster();
  await connect([9, 2]);
  core.trapIn = "poll";
  client.acquire("k").catch(() => {});
  await assert.rejects(first, { code: "LOCK_INTERNAL" });
  client.acquire("k").catch(() => {});
  cores[1].learnt = { 2: "127.0.0.1:7" };
  cores[1].queue(fake.KIND.connect, 9, 2);
  await settle();
  assert.deepEqual(cores[1].calls[2], ["cluster", "127.0.0.1:1\n127.0.0.1:2"]);
  assert.deepEqual(dialled(transport), [
    ["127.0.0.1", 3, false],
    ["127.0.0.1", 7, false],
  ]);
});

test("a trap where an address is asked for ends the core as any other does", async () => {
  const { cores, core, connect, first, client } = startCluster();
  core.trapIn = "address";
  await connect([9, 2]);
  await assert.rejects(first, { code: "LOCK_INTERNAL" });
  client.acquire("k").catch(() => {});
  assert.equal(cores.length, 2);
});

test("fair locks are not refused: a cluster is one server to a lock", async () => {
  const { client, core } = startCluster();
  client.acquire("k", { fair: true }).catch(() => {});
  assert.equal(core.count("acquire"), 2);
});

test("a client of one server that is redirected says what to write", async () => {
  const { client, cores } = start();
  for (const [prefix, id] of [
    ["MOVED", 1],
    ["ASK", 2],
  ]) {
    const promise = client.acquire("k");
    cores[0].queue(...fake.failed(id, { code: fake.CODE.server, node: 0 }));
    cores[0].details.push(prefix, `${prefix} 1 127.0.0.1:2`);
    await assert.rejects(promise, {
      message: `lock "k": h:1: ${prefix} 1 127.0.0.1:2; the server is one of a cluster: give its URL as \`cluster: [url]\``,
    });
  }
});
