// Which test files run on which runtime, and in which order.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { runtimes, tests } from "./runtimes.js";

/**
 * What a runtime supplies: sockets, TLS, timers, signals to abort, the end of the process, WebAssembly, names of errors. These run on
 * every runtime, always. The rest is decided by the core, which is the same bytes everywhere, or by the server; it runs on this
 * machine's Node.js, and on the others with --all.
 */
const aboutRuntimes = new Set([
  "conformance.test.js",
  "cluster/tls.test.js",
  ...[
    "aborting",
    "closing",
    "entry",
    "fake-timers",
    "life",
    "losing",
    "memory-server",
    "secrets",
    "sockets",
    "tls",
    "unreachable",
    "urls",
    "waking",
  ].map((name) => `suite/${name}.test.js`),
]);

/** Of the suite, by file: why no other runtime than this machine's Node.js runs it, even with --all. */
export const onlyInstalled = {
  "addresses.test.js":
    "names with addresses of the test's own, which no other runtime's node:dns can be given",
  "lasting.test.js":
    "half a minute of waiting for what the core alone decides, and its own tests show in virtual time",
  "redlock-outages.test.js": "forty clients at once, for half a minute: as above",
  "server-cost.test.js":
    "exact numbers, which the core, the scripts and the size of what is read at once decide",
  "splitting.test.js":
    "half a minute on what is the same on all: the core, with bytes from the test's own transport",
};

/** These run with --all only, on this machine's Node.js. By file: why. */
const onlyWithAll = {
  "packaging/frameworks.test.js": "NestJS, Next and BullMQ are 400 MB, and a build of Next takes a minute",
  "older-clusters.test.js": "what other-clusters.test.js runs, with older versions of the clients",
};

const testsIn = (folder, options) =>
  readdirSync(join(tests, folder), options)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => (folder === "." ? name : `${folder}/${name}`))
    .sort();

const everything = ["cluster", "packaging", "sentinel", "suite", "unit", "."].flatMap((folder) =>
  testsIn(folder),
);
const anywhere = [
  "conformance.test.js",
  "cluster/tls.test.js",
  ...testsIn("suite").filter((file) => !(file.slice("suite/".length) in onlyInstalled)),
];

function filesOf(runtime, all) {
  if (runtime === runtimes[0]) return everything.filter((file) => all || !(file in onlyWithAll));
  const files = all ? anywhere : anywhere.filter((file) => aboutRuntimes.has(file));
  return runtime.name === "Deno" ? [...files, ...testsIn("deno")] : files;
}

/** These measure, so they run last and alone. By file: what they measure. */
const measuring = {
  "memory.test.js": "how much memory 100 000 cycles leave behind",
  "suite/waking-cost.test.js": "how soon waiters are woken, and how many commands they send",
};

/** These take longest and start first, so that none of them ends alone. By file: what takes the time. */
const longest = {
  "packaging/frameworks.test.js": "two builds of Next",
  "other-clients.test.js": "a contract of 20 tests for each of six clients",
  "other-clusters.test.js": "slots that move, and nodes that die, for each of three clients",
  "suite/redlock-outages.test.js": "every combination of outages of up to seven servers",
  "packaging/bundling.test.js": "five bundlers, and each result in a browser or a worker",
  "packaging/programs.test.js": "TypeScript's and the test runners' start",
  "suite/redlock-api.test.js": "three times the same leases, and a busy machine",
  "soak.test.js": "five runtimes and their servers, broken for seconds",
  "soak-cluster.test.js": "the same in a cluster, which takes seconds to elect a primary",
  "soak-sentinel.test.js": "the same behind sentinels, which take seconds to replace a master",
  "workerd.test.js": "the conformance tests, in requests",
  "chromium.test.js": "the conformance tests, in a page",
  "websocket.test.js": "the conformance tests, over the bridge",
  "conformance.test.js": "the conformance tests, on each runtime",
  "examples.test.js": "programs that outwait leases",
  "suite/lasting.test.js": "leases and positions that outlast themselves several times",
  "cluster/failover.test.js": "servers that die, and are missed for seconds",
  "sentinel/failover.test.js": "sentinels, which take seconds to replace a master",
  "voters.test.js": "failovers of a cluster and of sentinels",
  "suite/patience.test.js": "silences that outlast the node timeout",
  "suite/rights.test.js": "users that lack rights, which is noticed late",
  "suite/fair-leaving.test.js": "position leases that run out",
  "suite/fair-positions.test.js": "position leases that run out",
  "suite/life.test.js": "processes that end by themselves, or do not",
  "packaging/processes.test.js": "leases that processes leave behind",
  "packaging/installing.test.js": "npm, and the package on each runtime",
  "unit/types.test.js": "the TypeScript compiler, several times",
  "rest.test.js": "deadlines that pass",
  "suite/multi.test.js": "10 000 meals of five processes",
  "suite/sockets.test.js": "megabytes, and processes that idle",
};

export const isAlone = (file) => file in measuring;

/** [{ runtime, file }] in the order in which they shall start. */
export function jobsOf(selected, { all }) {
  const order = Object.keys(longest);
  const rank = ({ file }) => (order.includes(file) ? order.indexOf(file) : order.length);
  const jobs = selected.flatMap((runtime) => filesOf(runtime, all).map((file) => ({ runtime, file })));
  // The sort keeps the order of equals.
  return jobs.sort((one, other) => rank(one) - rank(other));
}
