// A negative control: builds the package with a planted bug in a copy of the tree, and runs the soak there, which must report exclusion.
//
//   node tests/soak/control.js answer-of-former-node-counts --topology=cluster --duration=300
//   node tests/soak/control.js switch-ignored --topology=sentinel --duration=300
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { guard, tend } from "../js/support/children.js";

const root = fileURLToPath(new URL("../..", import.meta.url));
const copy = join(root, "target/soak-control");
/** Links to what is installed already. */
const INSTALLED = ["pkg-template/node_modules", "tests/runtimes/node_modules"];
const TOOL = "target/tool/redlatch-bindgen";

// A run does not outlive its control.
guard();
const [bug, ...more] = process.argv.slice(2);
const patch = join(root, `tests/planted/${bug}.patch`);
if (!existsSync(patch)) throw new Error(`there is no planted bug "${bug}"`);

/** Resolves with the exit status and what the command printed; `show` prints it at once. */
function run(command, args, { cwd = copy, show = false } = {}) {
  // Outside of any repository, `git apply` takes the paths of a patch as they are.
  const env = { ...process.env, GIT_CEILING_DIRECTORIES: dirname(copy) };
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
    if (show) process.stdout.write(text);
  });
  return tend(child).then(({ code }) => ({ status: code, output }));
}

async function must(...command) {
  const { status, output } = await run(...command);
  if (status !== 0) throw new Error(`${command.slice(0, 2).flat().join(" ")} failed:\n${output}`);
  return output;
}

// What cargo has compiled of the copy stays.
for (const name of ["src", "tests", "pkg", "pkg-template"])
  rmSync(join(copy, name), { recursive: true, force: true });
const names = await must("git", ["ls-files", "--cached", "--others", "--exclude-standard"], { cwd: root });
for (const name of names
  .trim()
  .split("\n")
  .filter((each) => existsSync(join(root, each))))
  cpSync(join(root, name), join(copy, name), { preserveTimestamps: true });
for (const name of INSTALLED) symlinkSync(join(root, name), join(copy, name));
mkdirSync(dirname(join(copy, TOOL)), { recursive: true });
cpSync(join(root, TOOL), join(copy, TOOL));
await must("git", ["apply", patch]);
console.log(`building the package with ${bug} in ${copy}`);
// Nothing is installed through the links.
const old = [...INSTALLED.map((name) => `${name}/.package-lock.json`), TOOL].flatMap((name) => ["-o", name]);
await must("make", [...old, "pkg/package.json", "tests/js/node_modules/redlatch"]);
const { status, output } = await run("node", ["tests/soak/soak.js", ...more], { show: true });
const isFound = status === 1 && output.includes("VIOLATION of exclusion");
console.log(isFound ? `${bug} was found` : `${bug} WAS NOT FOUND`);
process.exitCode = isFound ? 0 : 1;
