/** For edge runtimes that compile no WebAssembly, as Vercel's: their bundlers make a module of `?module`. They have no sockets. */
import { openClient } from "../client.js";
import { compiledCore } from "../core/loading.js";
import module from "../core.wasm?module";
import type * as api from "./browser.js";

const core = compiledCore(module);

export const createClient: typeof api.createClient = (options) => openClient(options, core.load, undefined);
export const ready: typeof api.ready = core.ready;

export * from "./exports.js";
