// A worker; the URL of the server is a binding.
import * as redlatch from "redlatch";
import { lockOnce } from "./locker.js";

export default {
  async fetch(_request, env) {
    return Response.json(await lockOnce(redlatch, env.REDIS_URL));
  },
};
