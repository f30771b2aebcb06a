// How records of numbers, and the strings beside them, are read.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CoreMemory } from "../../../pkg/dist/core/memory.js";
import { Records } from "../../../pkg/dist/core/records.js";
import { CAUSE, CODE, KIND, VOTE } from "../../../pkg/dist/core/wire.js";
import { FakeCore } from "./support/fake-core.js";

test("an error is read with its strings, its votes and its reason, and the next record after them", () => {
  const core = new FakeCore();
  core.queue(KIND.failed, 7, CODE.quorum, -1, CAUSE.unknown, 0, 3, 3, 1);
  core.queue(KIND.vote, 0, VOTE.granted);
  core.queue(KIND.vote, 1, VOTE.failed, CODE.server, CAUSE.unknown, 0);
  core.queue(KIND.vote, 2, VOTE.failed, CODE.connection, CAUSE.transport, 9);
  core.queue(KIND.reason, 0, CODE.server, 2, CAUSE.unknown, 0, 1, 0, 0);
  core.queue(KIND.released, 5, 0);
  core.details.push("no majority", "READONLY", "READONLY a replica", "reset", "OOM", "OOM no memory");
  const records = new Records(core, new CoreMemory(core, core.memory));
  records.poll(0, 0);
  const { votes, ...error } = records.error();
  const none = { connection: 0, prefix: "" };
  assert.deepEqual(error, {
    ...none,
    code: CODE.quorum,
    node: -1,
    cause: CAUSE.unknown,
    attempts: 3,
    message: "no majority",
    reason: {
      code: CODE.server,
      node: 2,
      cause: CAUSE.unknown,
      connection: 0,
      attempts: 1,
      prefix: "OOM",
      message: "OOM no memory",
      votes: [],
      reason: undefined,
    },
  });
  const failed = { attempts: 0, votes: [], reason: undefined };
  assert.deepEqual(votes, [
    { node: 0, outcome: VOTE.granted, error: undefined },
    {
      node: 1,
      outcome: VOTE.failed,
      error: {
        ...failed,
        code: CODE.server,
        node: 1,
        cause: CAUSE.unknown,
        connection: 0,
        prefix: "READONLY",
        message: "READONLY a replica",
      },
    },
    {
      node: 2,
      outcome: VOTE.failed,
      error: {
        ...failed,
        code: CODE.connection,
        node: 2,
        cause: CAUSE.transport,
        connection: 9,
        prefix: "",
        message: "reset",
      },
    },
  ]);
  records.next();
  assert.deepEqual([records.kind, records.number(1)], [KIND.released, 5]);
  records.next();
  assert.equal(records.more, false);
});

test("records are read on when the memory has grown", () => {
  const core = new FakeCore();
  core.outgoing.set(9, "bytes");
  core.queue(KIND.released, 5, 0);
  core.queue(KIND.granted, 6, 1, 2, 3, 4, 5, 6, 7);
  core.queue(KIND.transmit, 9);
  const records = new Records(core, new CoreMemory(core, core.memory));
  records.poll(0, 0);
  assert.deepEqual([records.kind, records.number(1)], [KIND.released, 5]);
  core.memory.grow(1);
  records.next();
  assert.deepEqual([records.kind, records.number(1)], [KIND.granted, 6]);
  core.memory.grow(1);
  assert.deepEqual(records.grant(2), [1, 2, 3, 4, 5, 6, 7]);
  records.next();
  core.memory.grow(1);
  assert.equal(Buffer.from(records.bytes(2)).toString(), "bytes");
});
