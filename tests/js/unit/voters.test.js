// Redlocks whose votes are clusters and masters behind sentinels: how an application names them, and what is refused at once.
import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import { fromCommand } from "../../../pkg/dist/entry/exports.js";
import { parseClientOptions } from "../../../pkg/dist/options/client.js";

const sockets = { connect() {} };
const parse = (options) => parseClientOptions(options, sockets);
const sentinel = { name: "mymaster", sentinels: ["redis://s1", "redis://s2"] };

function assertRefused(nodes, type, pattern, more) {
  assert.throws(
    () => parse({ nodes, ...more }),
    (error) => {
      assert.equal(error.constructor, type, String(error));
      assert.match(error.message, pattern);
      assert.doesNotMatch(inspect(error), /canary/);
      return true;
    },
    inspect(nodes),
  );
}

test("each of `nodes` is a vote: a server, a cluster, or a master behind sentinels", () => {
  const { voters, nodes, isRedlock } = parse({
    nodes: [
      { cluster: ["redis://a", "redis://b"] },
      "redis+sentinel://:pw@s1,s2/2?name=mymaster",
      { url: "redis+cluster://c" },
      "redis://d",
      { sentinel: { ...sentinel, name: "other" } },
      { url: "redis://e" },
    ],
    allowPlaintextAuth: true,
  });
  assert.ok(isRedlock);
  assert.deepEqual(
    voters.map((voter) => [voter.deployment?.kind, voter.nodes.map(({ name }) => name)]),
    [
      ["cluster", ["a:6379", "b:6379"]],
      ["sentinel", ["s1:26379", "s2:26379"]],
      ["cluster", ["c:6379"]],
      [undefined, ["d:6379"]],
      ["sentinel", ["s1:26379", "s2:26379"]],
      [undefined, ["e:6379"]],
    ],
  );
  assert.equal(nodes.length, 9);
  assert.equal(voters[1].deployment.pattern.database, 2);
});

test("a list with one group is no Redlock", () => {
  const { isRedlock, voters } = parse({ nodes: [{ cluster: ["redis://a", "redis://b"] }] });
  assert.deepEqual([isRedlock, voters.length], [false, 1]);
});

test("a group's own settings come before the client's", () => {
  const own = { connect() {} };
  const { voters } = parse({
    nodes: [
      { cluster: ["rediss://a.example"], tls: { servername: "x" }, transport: own },
      { sentinel: { name: "m", sentinels: ["rediss://s1"], tls: { servername: "y" } } },
      "rediss://b.example",
    ],
    tls: { servername: "z" },
  });
  assert.deepEqual(
    voters.map(({ nodes: [node] }) => node.address.tlsOptions.servername),
    ["x", "y", "z"],
  );
  // On this machine, none is needed.
  parse({ nodes: ["rediss://a.example", { cluster: ["redis://localhost:7000"] }], tls: { servername: "z" } });
  assert.equal(voters[0].nodes[0].transport, own);
  assert.equal(voters[1].nodes[0].transport, sockets);
});

test("a server that is not set is named, and refuses the calls, not the client", () => {
  const { missing } = parse({ nodes: ["redis://a", { cluster: ["redis://b", undefined] }, "redis://c"] });
  assert.match(missing, /^nodes\[1\]\.cluster\[1\]/);
  const unnamed = parse({ nodes: [{ sentinel }, { sentinel: { ...sentinel, name: undefined } }] });
  assert.match(unnamed.missing, /^nodes\[1\]\.sentinel\.name/);
});

test("errors name the option, and a server has one vote", () => {
  assertRefused([{ cluster: ["redis://b"], tsl: {} }], TypeError, /^nodes\[0\]: unknown option "tsl"/);
  assertRefused([{ cluster: ["redis://b"], tls: 5 }], TypeError, /^nodes\[0\]\.tls/);
  assertRefused([{ cluster: ["redis://b"], tls: {} }], TypeError, /^nodes\[0\]\.tls has no effect/);
  assertRefused([{ cluster: ["redis://b"], transport: 5 }], TypeError, /^nodes\[0\]\.transport must be/);
  assertRefused([{ cluster: [] }], TypeError, /^nodes\[0\]\.cluster must name at least one server/);
  assertRefused([{ cluster: { seeds: 1 } }], TypeError, /^nodes\[0\]\.cluster\.seeds must be an array/);
  assertRefused([{ sentinel: "s" }], TypeError, /^nodes\[0\]\.sentinel must be an object/);
  assertRefused(["redis+sentinel://:canary@a"], TypeError, /^nodes\[0\]\.url: the name of the master/);
  assertRefused(
    ["redis://a", { url: "redis://b", cluster: ["redis://c"] }],
    TypeError,
    /^nodes\[1\]: url and cluster are mutually exclusive/,
  );
  const commands = fromCommand(async () => null);
  assertRefused(
    ["redis://a", { cluster: ["redis://b"] }],
    TypeError,
    /^nodes\[1\]\.cluster needs a transport/,
    {
      transport: commands,
    },
  );
  assertRefused(
    ["redis://:canary@a", { cluster: ["redis://b", "redis://A:6379"] }],
    RangeError,
    /^nodes\[1\] is the same server as nodes\[0\] \(A:6379\); all servers must be independent/,
    { allowPlaintextAuth: true },
  );
  assertRefused(
    [{ sentinel }, { sentinel }],
    RangeError,
    /^nodes\[1\] is the same server as nodes\[0\] \(s1:26379\)/,
  );
});
