import type { MemoryKey } from "../types/memory.js";

/**
 * The memory server as TypeScript sees it. The build writes the module from wasm-bindgen's output, and checks that these
 * declarations agree with it.
 *
 * `now` is the server's wall clock in ms. Sessions go by numbers of the caller's choice, u32.
 */
export interface MemoryServer {
  connect(session: number): void;
  disconnect(session: number): void;
  /** Carries out the commands that are complete by now. */
  receive(session: number, bytes: Uint8Array, now: number): void;
  /** The sessions to which something was written. */
  written(): Uint32Array;
  /** What was written to a session since the last call. */
  take_output(session: number): Uint8Array;
  /** Whether a session is over, for it broke the protocol. */
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

/** A new instance, of which nothing is shared with any other. */
export declare function instantiate(module: WebAssembly.Module): Instance;
