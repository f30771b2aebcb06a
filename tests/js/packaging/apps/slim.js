import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as redlatch from "redlatch/slim";
import { lockOnce } from "./locker.js";

const wasm = createRequire(import.meta.url).resolve("redlatch/core.wasm");
redlatch
  .ready(readFileSync(wasm))
  .then(() => lockOnce(redlatch, process.argv.at(-1)))
  .then((result) => console.log(JSON.stringify(result)));
