import { instantiate } from "../../memory/redlatch_memory.js";
import { openMemoryServer } from "../../memory/server.js";
import module from "../../memory.wasm";
import type * as api from "./browser.js";

export const createMemoryServer: typeof api.createMemoryServer = (options) =>
  openMemoryServer(() => instantiate(module), options);

export type * from "../../types/memory.js";
