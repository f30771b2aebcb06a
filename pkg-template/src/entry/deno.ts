import { openClient } from "../client.js";
import type * as api from "../index.js";
import { inlineCore } from "../loading.js";
import { denoTransport } from "../transport/deno.js";
import { base64 } from "../wasm/inline.js";

const core = inlineCore(base64);

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.load, denoTransport);
export const ready: typeof api.ready = core.ready;

export * from "../exports.js";
