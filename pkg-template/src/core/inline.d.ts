import type { Inlined } from "./compiling.js";

/** The core's wasm. The build writes the module. */
export declare const inlined: Inlined;
