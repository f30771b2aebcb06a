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
  ...[
    "aborting",
    "closing",
    "entry",
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
  "lasting.test.js":
    "half a minute of waiting for what the core alone decides, and its own tests show in virtual time",
  "redlock-outages.test.js": "forty clients at once, for half a minute: as above",
  "splitting.test.js":
    "half a minute on what is the same on all: the core, with bytes from the test's own transport",
};

const testsIn = (folder, options) =>
  readdirSync(join(tests, folder), options)
    .filter((name) => name.endsWith(".test.js"))
    .map((name) => (folder === "." ? name : `${folder}/${name}`))
    .sort();

const everything = ["packaging", "suite", "unit", "."].flatMap((folder) => testsIn(folder));
const anywhere = [
  "conformance.test.js",
  ...testsIn("suite").filter((file) => !(file.slice("suite/".length) in onlyInstalled)),
];

function filesOf(runtime, all) {
  if (runtime === runtimes[0]) return everything;
  const files = all ? anywhere : anywhere.filter((file) => aboutRuntimes.has(file));
  return runtime.name === "Deno" ? [...files, ...testsIn("deno")] : files;
}

export const isAlone = () => false;

/** [{ runtime, file }] in the order in which they shall start. */
export function jobsOf(selected, { all }) {
  return selected.flatMap((runtime) => filesOf(runtime, all).map((file) => ({ runtime, file })));
}
