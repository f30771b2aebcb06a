// How each runtime runs one test file, and what is not run there.
import { fileURLToPath } from "node:url";

const installed = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url));
const settings = fileURLToPath(new URL("../js/deno.json", import.meta.url));

const node = (version) => ({
  name: `Node.js ${version}`,
  binary: installed(`node${version}/bin/node`),
  args: (file, report) => [
    "--test",
    "--test-reporter=spec",
    "--test-reporter-destination=stdout",
    "--test-reporter=junit",
    `--test-reporter-destination=${report}`,
    file,
  ],
  folders: ["suite"],
});

/** `args(file, report)` make it run that file and write a JUnit report; `folders` are those in tests/js that it runs. */
export const runtimes = [
  node(22),
  node(24),
  {
    name: "Deno",
    binary: installed(".bin/deno"),
    args: (file, report) => [
      "test",
      "-A",
      "--no-check",
      `--config=${settings}`,
      `--junit-path=${report}`,
      file,
    ],
    folders: ["suite", "deno"],
  },
  {
    name: "Bun",
    binary: installed(".bin/bun"),
    // Its own limit for a test is 5 s, also for those in a group that has another.
    args: (file, report) => [
      "test",
      "--timeout=240000",
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      file,
    ],
    folders: ["suite"],
  },
];

/** Of the suite, by file: why it is run on the Node.js that is installed (make test-js) and on no other runtime. */
export const notRun = {
  "lasting.test.js":
    "half a minute of waiting for what the core alone decides, and its own tests show in virtual time",
  "redlock-outages.test.js": "forty clients at once, for half a minute: as above",
  "splitting.test.js":
    "half a minute on what is the same on all: the core, with bytes from the test's own transport",
};
