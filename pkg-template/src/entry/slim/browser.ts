/**
 * The package without its WebAssembly, for applications that load `redlatch/core.wasm` in their own way, as their runtime or
 * bundler allows. This is the entry for browsers; all entries of `redlatch/slim` share these declarations.
 */
import { openClient } from "../../client.js";
import { suppliedCore } from "../../core/loading.js";
import type { ClientOptions, LockClient } from "../../types/types.js";

const core = suppliedCore();

/**
 * Makes a client, which connects on first use. Throws TypeError or RangeError for bad options, and a TypeError until
 * {@link ready} has resolved. With a URL that is undefined or empty, the client's calls reject with a TypeError.
 */
export function createClient(options: string | ClientOptions | undefined): LockClient {
  return openClient(options, core.loader(), undefined);
}

/**
 * Takes the core, `redlatch/core.wasm` of the same version: a WebAssembly.Module, its bytes (ArrayBuffer or a view), a
 * Response with them, or a promise of any of these. Rejects with TypeError for anything else, including the core of another
 * version, and with InternalError when the core cannot be fetched or the runtime does not compile it.
 */
export function ready(source: object | Promise<object>): Promise<void> {
  return core.ready(source);
}

export * from "../exports.js";
