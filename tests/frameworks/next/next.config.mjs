import { dirname } from "node:path";

// The packages are above this folder.
const root = dirname(import.meta.dirname);

export default { turbopack: { root }, outputFileTracingRoot: root };
