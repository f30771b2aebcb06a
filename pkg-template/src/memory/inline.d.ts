import type { Inlined } from "../core/compiling.js";

/** The memory server's wasm. The build writes the module. */
export declare const inlined: Inlined;
