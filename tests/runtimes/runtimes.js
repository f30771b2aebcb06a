// How each runtime runs one test file.
import { fileURLToPath } from "node:url";

const below = (path) => fileURLToPath(new URL(path, import.meta.url));
const installed = (path) => below(`node_modules/${path}`);

/** The folder of the tests; files are named from there. */
export const tests = below("../js");

const nodeArgs = (file, report) => [
  "--test",
  "--test-reporter=spec",
  "--test-reporter-destination=stdout",
  "--test-reporter=junit",
  `--test-reporter-destination=${report}`,
  file,
];

const pinnedNode = (version) => ({
  name: `Node.js ${version}`,
  binary: installed(`node${version}/bin/node`),
  args: nodeArgs,
});

/** `args(file, report)` make it run that file and write a JUnit report. The first one is this machine's Node.js. */
export const runtimes = [
  { name: "Node.js", binary: process.execPath, args: nodeArgs },
  pinnedNode(22),
  pinnedNode(24),
  {
    name: "Deno",
    binary: installed(".bin/deno"),
    args: (file, report) => [
      "test",
      "-A",
      "--no-check",
      `--config=${below("../js/deno.json")}`,
      `--junit-path=${report}`,
      file,
    ],
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
  },
];
