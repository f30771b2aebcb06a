// A contestant in workerd.
import * as redlatch from "redlatch";
import { contend } from "../contest/contend.js";

export default {
  async fetch(request) {
    await contend(redlatch, JSON.parse(new URL(request.url).searchParams.get("given")));
    return Response.json({ done: true });
  },
};
