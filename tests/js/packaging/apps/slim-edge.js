// The same with the wasm that the program's own bundler has compiled.
import wasm from "redlatch/core.wasm?module";
import * as redlatch from "redlatch/slim";
import { lockOnce } from "./locker.js";

export async function lock(transport) {
  await redlatch.ready(wasm);
  return lockOnce(redlatch, { transport });
}
