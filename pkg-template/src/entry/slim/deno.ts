import { openClient } from "../../client.js";
import { suppliedCore } from "../../core/loading.js";
import { denoTransport } from "../../transport/deno.js";
import type * as api from "./browser.js";

const core = suppliedCore();

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.loader(), denoTransport);
export const ready: typeof api.ready = core.ready;

export * from "../exports.js";
