// The package under test, found as the running runtime finds any package: by name, in node_modules, through the exports map.
// `make build` has put the link to pkg/ there.
import { fileURLToPath } from "node:url";

/** The folder of the built npm package. */
export const packageFolder = fileURLToPath(new URL("../../../pkg", import.meta.url));

/** file: URL of the package's entry for this runtime. */
export const packageEntry = import.meta.resolve("redlatch");

export {
  ClosedError,
  ConnectionError,
  createClient,
  fromCommand,
  fromRest,
  InternalError,
  LockError,
  LockLostError,
  LockTimeoutError,
  OverloadedError,
  ProtocolError,
  QuorumError,
  ServerError,
} from "redlatch";
