/**
 * The package without its WebAssembly, for those who load that themselves: from `redlatch/core.wasm`, by whatever way their
 * runtime or bundler has. This is the entry for browsers; its declarations are those of all entries of `redlatch/slim`.
 */
import { openClient } from "../../client.js";
import { suppliedCore } from "../../core/loading.js";
import type { ClientOptions, LockClient } from "../../types/types.js";

const core = suppliedCore();

/**
 * Makes a client, once {@link ready} has the core. Connects on first use. Throws TypeError or RangeError for bad options, and
 * a TypeError before `ready` is done.
 */
export function createClient(options: string | ClientOptions): LockClient {
  return openClient(options, core.loader(), undefined);
}

/**
 * Takes the core, `redlatch/core.wasm` of the same version: a WebAssembly.Module, its bytes (ArrayBuffer or a view), or a
 * Response with them, or a promise of any of these. Rejects with TypeError for anything else, also for the core of another
 * version, and with InternalError when it cannot be fetched or the runtime does not compile it.
 */
export function ready(source: object | Promise<object>): Promise<void> {
  return core.ready(source);
}

export * from "../exports.js";
