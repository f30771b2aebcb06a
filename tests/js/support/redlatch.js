// The package under test, found as Node itself would find it: through pkg/package.json's own exports map.
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const manifest = fileURLToPath(new URL("../../../pkg/package.json", import.meta.url));

/** The folder of the built npm package. */
export const packageFolder = dirname(manifest);

/** file: URL of the package's entry for Node. */
export const packageEntry = pathToFileURL(createRequire(manifest).resolve("redlatch")).href;

export const {
  createClient,
  fromCommand,
  fromRest,
  LockError,
  LockTimeoutError,
  LockLostError,
  QuorumError,
  ConnectionError,
  ServerError,
  ProtocolError,
  OverloadedError,
  ClosedError,
  InternalError,
} = await import(packageEntry);
