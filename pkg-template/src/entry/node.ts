import { openClient } from "../client.js";
import { inlineCore } from "../core.js";
import { nodeTransport } from "../transport/node.js";
import type { ClientOptions, LockClient } from "../types.js";
import { base64 } from "../wasm/inline.js";

const load = inlineCore(base64);

/** Makes a client. Throws TypeError or RangeError for bad options; connects on first use. */
export function createClient(options: string | ClientOptions): LockClient {
  return openClient(options, load, nodeTransport);
}

export * from "../errors.js";
export type * from "../observation.js";
export type * from "../types.js";
