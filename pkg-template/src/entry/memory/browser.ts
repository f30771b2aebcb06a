/**
 * A Redis in memory, for tests of programs that use locks: it needs no process and no socket, and the test sets its clock.
 * It supports just what this package's scripts use. All entries of `redlatch/memory` share these declarations.
 */
import { decode, explain } from "../../core/compiling.js";
import { inlined } from "../../memory/inline.js";
import { instantiate } from "../../memory/redlatch_memory.js";
import { openMemoryServer } from "../../memory/server.js";
import type { MemoryServer, MemoryServerOptions } from "../../types/memory.js";

let compiled: WebAssembly.Module | undefined;

/**
 * Makes an empty server. It runs the commands and scripts of this package and refuses all others. Each server has its own
 * keys, so several servers make a Redlock. Throws TypeError for bad options, and InternalError where the runtime does not
 * compile WebAssembly.
 *
 * Only promises carry the bytes, so fake timers cannot delay them. The server and its clients use the clocks and timers that
 * were there when the package was loaded: fake timers that are installed later have no effect. To control the time, pass `now`
 * to the server and `clock` to the clients.
 *
 * @example
 * const server = createMemoryServer();
 * const locks = createClient({ transport: server.transport });
 */
export function createMemoryServer(options?: MemoryServerOptions): MemoryServer {
  return openMemoryServer(() => {
    compiled ??= explain(() => new WebAssembly.Module(decode(inlined)));
    return instantiate(compiled);
  }, options);
}

export type * from "../../types/memory.js";
export type { Address, Connection, TlsOptions, Transport } from "../../types/transport.js";
