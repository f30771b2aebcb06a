/** The memory server's wasm in base64. The build writes the module. */
export declare const base64: string;
