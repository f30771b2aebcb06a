import { openClient } from "../../client.js";
import { suppliedCore } from "../../loading.js";
import type * as api from "../../slim.js";
import { workerdTransport } from "../../transport/workerd.js";

const core = suppliedCore();

export const createClient: typeof api.createClient = (options) =>
  openClient(options, core.loader(), workerdTransport);
export const ready: typeof api.ready = core.ready;

export * from "../../exports.js";
