import type * as api from "../../memory.js";
import module from "../../memory.wasm";
import { openMemoryServer } from "../../memory-server.js";
import { instantiate } from "../../wasm/redlatch_memory.js";

export const createMemoryServer: typeof api.createMemoryServer = (options) =>
  openMemoryServer(() => instantiate(module), options);

export type * from "../../memory-types.js";
