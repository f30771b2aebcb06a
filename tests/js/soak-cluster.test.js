// Real processes and a real cluster, broken for some seconds; and that only what is proved is excused there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Checker } from "../soak/checker.js";
import { excusesInCluster } from "../soak/cluster/excuses.js";
import { locksOn } from "../soak/replicated/elections.js";
import { Inspector } from "../soak/replicated/inspector.js";
import { Turns } from "../soak/replicated/turns.js";
import { topologyOf } from "../soak/topologies.js";
import { startCluster } from "./support/cluster.js";
import { encodeCommand } from "./support/frames.js";
import { PaperRun } from "./support/paper-run.js";
import { assertSoakHolds } from "./support/soak-run.js";

const linux = process.platform === "linux";

test("five runtimes contend in a cluster whose primaries die, stop and change, and no rule is broken", {
  timeout: 120_000,
  skip: !linux,
}, async (t) => {
  const run = { topology: "cluster", seconds: 8, seed: 62, clients: 5 };
  await assertSoakHolds(t, run, {
    failovers: ["primary killed", "planned failover", "primary stopped"],
    faults: { "slot moved": 2 },
  });
});

test("an unknown topology is refused, with the names of those that exist", () => {
  assert.equal(topologyOf("cluster").name, "cluster");
  assert.throws(
    () => topologyOf("clustre"),
    /no topology "clustre"; TOPOLOGY is one of: single, cluster, sentinel$/,
  );
});

// Server 0 is the first primary of shard 0, and server 3 its replica; slots and ports as below.
const SLOT = 7;
const PORTS = [7_000, 7_001, 7_002, 7_003, 7_004, 7_005];

/** One shard, whose server 3 takes over at 100. `held`: what it has then; `stopped`: whether server 0 was. */
class ClusterOnPaper extends PaperRun {
  constructor({ held = [], cause = "primary killed", stopped = false } = {}) {
    super();
    const election = { at: 100, answered: 101, server: 3, shard: 0, cause, held: new Map(held) };
    const before = (server, at) => (server % 3 === 0 && election.at <= at ? election : undefined);
    this.elections = { all: [election], before, wasStopped: () => stopped };
  }

  map(client, at, primary, { number = 1, asked = at - 1 } = {}) {
    const node = (port) => `*4\r\n$9\r\n127.0.0.1\r\n:${port}\r\n$2\r\nid\r\n*0\r\n`;
    const map = `*1\r\n*4\r\n:0\r\n:100\r\n${node(primary)}${node(7_000)}`;
    this.pass(asked, client, 1, "asked", encodeCommand(["CLUSTER", "SLOTS"]), number);
    this.pass(at, client, 1, "answered", map, number);
    this.pass(at, client, 1, "told", map, number);
  }

  excuseBy(checker) {
    const slots = new Map([["a", SLOT]]);
    const readAt = (client, at) => checker.readAt(client, at);
    return excusesInCluster({ ...this, slots, ports: PORTS, readAt }).excuse;
  }
}

const first = { token: "one", from: 50, until: 300 };
const second = { token: "two", from: 150, until: 300 };

test("two believers after a failover are excused if it lost the first one's lock, and only then", () => {
  const judged = (options) => new ClusterOnPaper(options).judge(first, second);
  assert.deepEqual(judged({ held: [["a", { token: null, until: 0 }]] }), []);
  assert.deepEqual(judged({ held: [["a", { token: "an earlier one's", until: 200 }]] }), []);
  assert.deepEqual(judged({ held: [["a", { token: "one", until: 300 }]] }), ["exclusion"]);
  assert.deepEqual(judged({ held: [] }), ["exclusion"], "nothing is known");
  const planned = { held: [["a", { token: null, until: 0 }]], cause: "planned failover" };
  assert.deepEqual(judged(planned), ["exclusion"], "it waits for its replica");
  // Its last extension was lost: it ended before the second one's began.
  assert.deepEqual(judged({ held: [["a", { token: "one", until: 140 }]] }), []);
  // One that the replica has confirmed is lost by no failover.
  const lost = new ClusterOnPaper({ held: [["a", { token: null, until: 0 }]] });
  assert.deepEqual(lost.judge(first, second, "confirmed"), ["exclusion"]);
});

test("a lock that was granted after the failover is not lost by it, unless its grant was under way", () => {
  const held = [["a", { token: null, until: 0 }]];
  const late = { token: "one", from: 120, until: 300 };
  assert.deepEqual(new ClusterOnPaper({ held }).judge(late, second), ["exclusion"]);
  const paper = new ClusterOnPaper({ held });
  paper.grant(0, 0, "one", 90, 119);
  assert.deepEqual(paper.judge(late, second), []);
});

test("the grant of a former primary is excused if it was stopped, and until its client could know", () => {
  const granted = (more, prepare = () => {}, told = 149) => {
    const paper = new ClusterOnPaper({ held: [["a", { token: "one", until: 300 }]], stopped: true, ...more });
    prepare(paper);
    paper.grant(1, 0, "two", 145, told);
    return paper.judge(first, second);
  };
  assert.deepEqual(granted(), []);
  assert.deepEqual(granted({ stopped: false }), ["exclusion"]);
  // The proxy may note only afterwards that it has passed the answer on.
  assert.deepEqual(granted({}, undefined, 152), []);
  const known = (at) => (paper) => paper.map(1, at, 7_003);
  // It had 50 ms to read what it got.
  assert.deepEqual(granted({}, known(80)), [], "before the failover");
  assert.deepEqual(granted({}, known(110)), []);
  assert.deepEqual(
    granted({}, (paper) => paper.map(1, 110, 7_000)),
    [],
    "an old map",
  );
  const early = (paper) => {
    known(101)(paper);
    paper.grant(1, 0, "two", 151, 152);
  };
  const moved = (paper) => {
    for (const stage of ["answered", "told"])
      paper.pass(101, 1, 0, stage, `-MOVED ${SLOT} 127.0.0.1:7003\r\n`);
    paper.grant(1, 0, "two", 151, 152);
  };
  const judge = (prepare, stalls = []) => {
    const paper = new ClusterOnPaper({ held: [["a", { token: "one", until: 300 }]], stopped: true });
    paper.stalls = stalls;
    prepare(paper);
    return paper.judge(first, { token: "two", from: 153, until: 300 });
  };
  assert.deepEqual(judge(early), ["exclusion"]);
  assert.deepEqual(judge(moved), ["exclusion"]);
  const toAnother = (paper) => {
    paper.map(1, 101, 7_003, { number: 2 });
    paper.grant(1, 0, "two", 151, 152);
  };
  assert.deepEqual(judge(toAnother), [], "another client in the same process got the map");
  const tooLate = (paper) => {
    paper.map(1, 101, 7_003, { asked: -900 });
    paper.grant(1, 0, "two", 151, 152);
  };
  assert.deepEqual(judge(tooLate), [], "by then, the client had asked another server");
  const outOfStep = (paper) => {
    for (const stage of ["answered", "told"]) paper.pass(59, 1, 1, stage, "+FIRST\r\n");
    paper.pass(60, 1, 1, "answered", "+OK\r\n");
    early(paper);
  };
  assert.deepEqual(
    judge(outOfStep),
    [],
    "a reply is missing, so nothing more is believed on that connection",
  );
  // Its event loop stood still when the map came.
  assert.deepEqual(judge(early, [[95, 140]]), []);
  assert.deepEqual(
    judge((paper) => paper.grant(1, 3, "two", 151, 152)),
    ["exclusion"],
    "the new primary's",
  );
});

test("what wants a shard waits until it is free, and what wants another one does not", async () => {
  const turns = new Turns();
  const done = [];
  const ends = {};
  const take = (name, names) =>
    turns.take(names, () => {
      done.push(name);
      return new Promise((end) => {
        ends[name] = end;
      });
    });
  const all = [take("one", [0, 1]), take("two", [1]), take("three", [2]), take("four", [1])];
  assert.deepEqual(done, ["one", "three"]);
  assert.equal(turns.isFree(2), false);
  ends.three();
  await all[2];
  assert.equal(turns.isFree(2), true);
  ends.one();
  await all[0];
  assert.deepEqual(done, ["one", "three", "two"]);
  ends.two();
  await all[1];
  assert.deepEqual(done, ["one", "three", "two", "four"]);
  ends.four();
  await all[3];
  assert.equal(turns.isFree(0, 1, 2), true);
});

test("what is on a cluster's server is found: locks, their ends, and keys that are kept for too long", async (t) => {
  const cluster = await startCluster(t, { nodes: 1 });
  const [redis] = cluster.nodes;
  await redis.send("SET", "lock:left", "token", "PX", 3_000);
  await redis.send("SET", "lock:redlatch:fence:{lock:left}", "1", "PX", 3_600_000);
  const held = await locksOn(redis, ["left", "free"]);
  assert.equal(held.get("left").token, "token");
  assert.deepEqual(held.get("free"), { token: null, until: 0 });
  const checker = new Checker();
  const servers = [{ redis }];
  const inspector = new Inspector(servers, () => false, checker);
  await inspector.look();
  assert.deepEqual(checker.violations, []);
  assert.deepEqual(await inspector.left(), ["lock:left"]);
  await redis.send("SET", "lock:long", "x", "PX", 60_000);
  await redis.send("PERSIST", "lock:redlatch:fence:{lock:left}");
  await inspector.look();
  assert.deepEqual(checker.violations.map(({ text }) => text.split(" ")[0]).sort(), [
    "lock:long",
    "lock:redlatch:fence:{lock:left}",
  ]);
});
