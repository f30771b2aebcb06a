// Which runtime this is.

/** "deno", "bun" or "node". */
export const runtime = "Deno" in globalThis ? "deno" : "Bun" in globalThis ? "bun" : "node";
