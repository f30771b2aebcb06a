/**
 * A Redis in memory, for tests of programs that use locks: no process, no socket, and a clock to turn. It is just big
 * enough for this package's scripts. Its declarations are those of all entries of `redlatch/memory`.
 */
import { decode, explain } from "../../core/compiling.js";
import { base64 } from "../../memory/inline.js";
import { instantiate } from "../../memory/redlatch_memory.js";
import { openMemoryServer } from "../../memory/server.js";
import type { MemoryServer, MemoryServerOptions } from "../../types/memory.js";

let module: WebAssembly.Module | undefined;

/**
 * Makes an empty server. It knows the commands and scripts of this package and refuses others; each server has its own
 * keys, so that several make a Redlock. Throws TypeError for bad options, and InternalError where the runtime does not
 * compile WebAssembly.
 *
 * Nothing but promises carries the bytes, so that fake timers cannot hold them up. Those that replace `queueMicrotask`
 * too, as Jest's do, must leave it: the client uses it.
 *
 * @example
 * const server = createMemoryServer();
 * const locks = createClient({ transport: server.transport });
 */
export function createMemoryServer(options?: MemoryServerOptions): MemoryServer {
  return openMemoryServer(() => {
    module ??= explain(() => new WebAssembly.Module(decode(base64)));
    return instantiate(module);
  }, options);
}

export type * from "../../types/memory.js";
export type { Address, Connection, TlsOptions, Transport } from "../../types/types.js";
