import { openClient } from "../client.js";
import { base64 } from "../core/inline.js";
import { inlineCore } from "../core/loading.js";
import { denoTransport } from "../transport/deno.js";
import type * as api from "./browser.js";

const core = inlineCore(base64);

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.load, denoTransport);
export const ready: typeof api.ready = core.ready;

export * from "./exports.js";
