/**
 * The package for browsers, and for any runtime without an entry of its own: it has no sockets. All entries share these
 * declarations.
 */
import { openClient } from "../client.js";
import { inlined } from "../core/inline.js";
import { inlineCore } from "../core/loading.js";
import type { ClientOptions, LockClient } from "../types/types.js";

const core = inlineCore(inlined);

/**
 * Makes a client, which connects on first use. Throws TypeError or RangeError for bad options, and InternalError where there
 * is no WebAssembly. A URL that is undefined or empty does not throw here, because programs are built and tested without their
 * environment: the client's calls then reject with a TypeError.
 */
export function createClient(options: string | ClientOptions | undefined): LockClient {
  return openClient(options, core.load, undefined);
}

/**
 * Compiles the WebAssembly core ahead of time, without blocking if the runtime can do that. Without this call, the first lock
 * compiles it, which takes milliseconds. Rejects with InternalError where the runtime does not allow it.
 */
export function ready(): Promise<void> {
  return core.ready();
}

export * from "./exports.js";
