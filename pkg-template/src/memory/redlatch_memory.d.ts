import type { MemoryKey } from "../types/memory.js";

/**
 * The memory server as TypeScript sees it. The build writes the module from wasm-bindgen's output, and checks that these
 * declarations match it.
 *
 * `now` is the server's wall clock in ms. The caller chooses the sessions' numbers, u32.
 */
export interface MemoryServer {
  connect(session: number): void;
  disconnect(session: number): void;
  /** Runs the commands that are complete. */
  receive(session: number, bytes: Uint8Array, now: number): void;
  /** The sessions that have output. */
  written(): Uint32Array;
  /** The output of a session since the last call. */
  take_output(session: number): Uint8Array;
  /** Whether a session has ended because it broke the protocol. */
  is_closed(session: number): boolean;
  /** Forgets all keys. */
  flush(): void;
  /** The live keys, by database and name. */
  keys(now: number): MemoryKey[];
  free(): void;
}

/** One wasm instance, and the class that lives in it. */
export interface Instance {
  readonly MemoryServer: new () => MemoryServer;
  /** Forgets a server without a call into its instance, which has trapped. */
  abandon(server: MemoryServer): void;
}

/** A new instance, which shares nothing with any other. */
export declare function instantiate(module: WebAssembly.Module): Instance;
