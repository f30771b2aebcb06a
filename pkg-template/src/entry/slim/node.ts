import { openClient } from "../../client.js";
import { suppliedCore } from "../../core/loading.js";
import { nodeTransport } from "../../transport/node.js";
import { afterTurn } from "../../transport/turn.js";
import type * as api from "./browser.js";

const core = suppliedCore();

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.loader(), nodeTransport, afterTurn);
export const ready: typeof api.ready = core.ready;

export * from "../exports.js";
