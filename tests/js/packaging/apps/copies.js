// Both copies of the package in one process, as where a program of ES modules has a dependency that requires it: prints what they
// know of each other.
import { createRequire } from "node:module";
import * as imported from "redlatch";

const require = createRequire(import.meta.url);
const required = require("redlatch");

/** Which of the errors that `one` makes are known to `other`, as what they are and as nothing else. */
const known = (one, other) =>
  names(one).filter((name) => {
    if (!name.endsWith("Error") || name === "LockError") return false;
    const error = new one[name]("why", 1);
    const kinds = names(other).filter((kind) => kind.endsWith("Error") && error instanceof other[kind]);
    return kinds.join() === ["LockError", name].sort().join();
  }).length;

// An import has what the runtime may add.
const names = (copy) =>
  Object.keys(copy)
    .filter((name) => /^[a-z]+$/i.test(name) && name !== "default")
    .sort();

async function main() {
  const { createMemoryServer } = require("redlatch/memory");
  const { transport } = createMemoryServer();
  const [one, other] = [required, imported].map(({ createClient }) => createClient({ transport, wait: 0 }));
  const lock = await one.acquire("handed over");
  const adopted = await other.adopt(JSON.parse(JSON.stringify(lock)));
  const refusal = await other.acquire("handed over").catch((error) => error);
  await adopted.release();
  await Promise.all([one.close(), other.close()]);
  return {
    two: required.createClient !== imported.createClient,
    sameNames: names(required).join() === names(imported).join(),
    fromRequired: known(required, imported),
    fromImported: known(imported, required),
    fence: adopted.fence === lock.fence,
    refusal: refusal instanceof required.LockTimeoutError,
    // As tests do it, to put a double in its place.
    replaceable: Object.getOwnPropertyDescriptor(required, "createClient").writable === true,
  };
}

main().then((result) => console.log(JSON.stringify(result)));
