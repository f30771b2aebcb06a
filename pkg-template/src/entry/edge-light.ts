/**
 * For edge runtimes that compile no WebAssembly themselves, such as Vercel's: their bundlers compile the file imported with
 * `?module`. They have no sockets.
 */
import { openClient } from "../client.js";
import { compiledCore } from "../core/loading.js";
import module from "../core.wasm?module";
import type * as api from "./browser.js";

const core = compiledCore(module);

export const createClient: typeof api.createClient = (options) => openClient(options, core.load, undefined);
export const ready: typeof api.ready = core.ready;

export * from "./exports.js";
