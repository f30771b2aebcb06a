import { openClient } from "../client.js";
import { inlined } from "../core/inline.js";
import { inlineCore } from "../core/loading.js";
import { nodeTransport } from "../transport/node.js";
import { afterTurn } from "../transport/turn.js";
import type * as api from "./browser.js";

const core = inlineCore(inlined);

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.load, nodeTransport, afterTurn);
export const ready: typeof api.ready = core.ready;

export * from "./exports.js";
