// Real processes and a real master with its sentinels, broken for some seconds; and that only what is proved is excused there.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Elections } from "../soak/replicated/elections.js";
import { excusesWithSentinels } from "../soak/sentinel/excuses.js";
import { until } from "./support/conditions.js";
import { encodeCommand } from "./support/frames.js";
import { PaperRun } from "./support/paper-run.js";
import { assertSoakHolds } from "./support/soak-run.js";

const linux = process.platform === "linux";

test("five runtimes contend behind sentinels that replace the master, and no rule is broken", {
  timeout: 120_000,
  skip: !linux,
}, async (t) => {
  const run = { topology: "sentinel", seconds: 8, seed: 3, clients: 5 };
  await assertSoakHolds(t, run, {
    failovers: ["primary killed", "planned failover"],
    faults: { "sentinel killed": 1 },
  });
});

/** Servers 0 to 2 have keys; a client's two groups are told by sentinels 3 to 5, and 6 to 8. */
const PORTS = [7_000, 7_001, 7_002];
const SENTINEL = 3;
const OF_CONFIRMED = 6;

/** Server 0 was the master until server 1 took over at 100, which has then what `held` says. */
class SentinelsOnPaper extends PaperRun {
  constructor({ held = [], cause = "planned failover" } = {}) {
    super();
    const election = { at: 100, answered: 101, server: 1, shard: 0, cause, held: new Map(held) };
    this.elections = { all: [election], before: (_, at) => (election.at <= at ? election : undefined) };
  }

  /** A sentinel announces a switch between the servers with these ports. */
  announce(client, at, { from = PORTS[0], to = PORTS[1], sentinel = SENTINEL } = {}) {
    const words = `mymaster 127.0.0.1 ${from} 127.0.0.1 ${to}`;
    const message = `>3\r\n$7\r\nmessage\r\n$14\r\n+switch-master\r\n$${words.length}\r\n${words}\r\n`;
    for (const stage of ["answered", "told"]) this.pass(at, client, sentinel, stage, message);
  }

  /** Sentinels are asked, and name the server with this port. */
  answer(client, at, sentinels, { asked = at - 1, port = PORTS[1] } = {}) {
    for (const sentinel of sentinels)
      this.pass(
        asked,
        client,
        sentinel,
        "asked",
        encodeCommand(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "m"]),
      );
    for (const sentinel of sentinels)
      for (const stage of ["answered", "told"])
        this.pass(at, client, sentinel, stage, `*2\r\n$9\r\n127.0.0.1\r\n$4\r\n${port}\r\n`);
  }

  excuseBy(checker) {
    return excusesWithSentinels({ ...this, ports: PORTS, checker }).excuse;
  }
}

const first = { token: "one", from: 50, until: 300 };
const second = { token: "two", from: 153, until: 300 };
const HAS_IT = [["a", { token: "one", until: 300 }]];

test("two believers after a failover, planned or not, are excused if it lost the first one's lock, and only then", () => {
  for (const cause of ["planned failover", "primary killed"]) {
    const judged = (held) => new SentinelsOnPaper({ cause, held }).judge(first, second);
    assert.deepEqual(judged([["a", { token: null, until: 0 }]]), []);
    assert.deepEqual(judged([["a", { token: "one", until: 140 }]]), [], "its last extension was lost");
    assert.deepEqual(judged(HAS_IT), ["exclusion"]);
    assert.deepEqual(judged([]), ["exclusion"], "nothing is known");
  }
  // One that the replicas have confirmed is lost by no failover.
  const lost = new SentinelsOnPaper({ held: [["a", { token: null, until: 0 }]] });
  assert.deepEqual(lost.judge(first, second, "confirmed"), ["exclusion"]);
});

test("the grant of a former master is excused until its client hears of the new one", () => {
  const judged = (prepare, { server = 0, stalls = [], began = 0 } = {}) => {
    const paper = new SentinelsOnPaper({ held: HAS_IT });
    paper.stalls = stalls;
    prepare(paper);
    paper.grant(1, server, "two", 151, 152);
    return paper.judge(first, { ...second, began });
  };
  const announced = (at, more) => (paper) => paper.announce(1, at, more);
  assert.deepEqual(
    judged(() => {}),
    [],
  );
  assert.deepEqual(judged(announced(101)), ["exclusion"]);
  assert.deepEqual(judged(announced(110)), [], "it had 50 ms to read it");
  assert.deepEqual(
    judged((paper) => paper.announce(0, 101)),
    [],
    "another process heard it",
  );
  assert.deepEqual(
    judged(announced(101, { sentinel: OF_CONFIRMED })),
    [],
    "another client of the process heard it",
  );
  assert.deepEqual(
    judged(announced(101, { sentinel: OF_CONFIRMED - 1 })),
    ["exclusion"],
    "the third sentinel",
  );
  assert.deepEqual(judged(announced(101, { to: PORTS[2] })), [], "another switch");
  assert.deepEqual(judged(announced(101, { from: PORTS[2] })), [], "it knew an earlier master");
  assert.deepEqual(judged(announced(101), { began: 102 }), [], "an earlier process heard it");
  const answered = (at, sentinels, more) => (paper) => paper.answer(1, at, sentinels, more);
  assert.deepEqual(judged(answered(101, [SENTINEL, SENTINEL + 1])), ["exclusion"], "most of them said so");
  assert.deepEqual(judged(answered(101, [SENTINEL])), [], "one of three did");
  assert.deepEqual(judged(answered(101, [SENTINEL, OF_CONFIRMED])), [], "one of three did");
  assert.deepEqual(judged(answered(101, [SENTINEL, SENTINEL + 1], { port: PORTS[0] })), [], "the former one");
  assert.deepEqual(judged(answered(101, [SENTINEL, SENTINEL + 1], { asked: -900 })), [], "too late");
  const inTurn = (paper) => {
    paper.answer(1, 101, [SENTINEL]);
    paper.answer(1, 103, [SENTINEL + 1], { asked: 102 });
  };
  assert.deepEqual(judged(inTurn), [], "one was asked when the other had answered");
  const again = (paper) => {
    paper.elections.all.unshift({ at: 40, server: 0 });
    paper.answer(1, 101, [SENTINEL, SENTINEL + 1]);
  };
  assert.deepEqual(judged(again), [], "the new one may have been replaced before");
  // Its event loop stood still when the announcement came.
  assert.deepEqual(judged(announced(101), { stalls: [[95, 140]] }), []);
  const outOfStep = (paper) => {
    paper.pass(60, 1, SENTINEL, "answered", "+FIRST\r\n+SECOND\r\n+THIRD\r\n");
    paper.pass(61, 1, SENTINEL, "told", "+FIRST\r\n+THIRD\r\n");
    paper.announce(1, 101);
  };
  assert.deepEqual(
    judged(outOfStep),
    [],
    "a reply is missing, so nothing more is believed on that connection",
  );
  assert.deepEqual(
    judged(() => {}, { server: 1 }),
    ["exclusion"],
    "the new master's",
  );
});

test("a lock that a former master has not, because it was killed, may be lost until its client hears of the new one", () => {
  const judged = (prepare, server = 0, token = "one") => {
    const paper = new SentinelsOnPaper({
      cause: "primary killed",
      held: [["a", { token: "one", until: 3_000 }]],
    });
    prepare(paper);
    paper.deny(1, server, token, 151, 152);
    return paper.judgeLoss({ token: "one", from: 50, until: 3_000, lost: 153 });
  };
  const nothing = () => {};
  assert.deepEqual(judged(nothing), []);
  assert.deepEqual(
    judged((paper) => paper.announce(1, 101)),
    ["lost without a cause"],
  );
  assert.deepEqual(judged(nothing, 1), ["lost without a cause"], "the new master has it");
  assert.deepEqual(judged(nothing, 0, "two"), ["lost without a cause"], "another lock was denied");
});

test("a replica that was promoted and becomes a replica again has replaced nobody", async (t) => {
  const [master, replica] = [0, 1].map(() => ({ log: [], send: async () => null }));
  const servers = [master, replica].map((redis) => ({ redis, shard: 0 }));
  const patterns = { won: /MASTER MODE/, yields: /REPLICAOF/ };
  const elections = new Elections(t, { servers, names: [], ...patterns, note() {} });
  const last = () => elections.before(0, Number.POSITIVE_INFINITY)?.server;
  replica.log.push("MASTER MODE enabled");
  await until(() => last() === 1, { what: "the election" });
  // That is how a former master ends.
  master.log.push("REPLICAOF 127.0.0.1:7001 enabled");
  await assert.rejects(until(() => last() !== 1, { within: 50 }));
  replica.log.push("REPLICAOF 127.0.0.1:7000 enabled");
  await until(() => last() === undefined, { what: "its end" });
  assert.equal(elections.counts["failover that was given up"], 1);
});
