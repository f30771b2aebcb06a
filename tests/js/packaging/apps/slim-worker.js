// The same with the wasm that the bundler has made a module of.

import wasm from "redlatch/core.wasm";
import * as redlatch from "redlatch/slim";
import { lockOnce } from "./locker.js";

export default {
  async fetch(_request, env) {
    await redlatch.ready(wasm);
    return Response.json(await lockOnce(redlatch, env.REDIS_URL));
  },
};
