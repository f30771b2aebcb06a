import { openClient } from "../client.js";
import { compiledCore } from "../core/loading.js";
import module from "../core.wasm";
import { workerdTransport } from "../transport/workerd.js";
import type * as api from "./browser.js";

const core = compiledCore(module);

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.load, workerdTransport);
export const ready: typeof api.ready = core.ready;

export * from "./exports.js";
