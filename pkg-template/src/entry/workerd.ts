import { openClient } from "../client.js";
import module from "../core.wasm";
import type * as api from "../index.js";
import { compiledCore } from "../loading.js";
import { workerdTransport } from "../transport/workerd.js";

const core = compiledCore(module);

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.load, workerdTransport);
export const ready: typeof api.ready = core.ready;

export * from "../exports.js";
