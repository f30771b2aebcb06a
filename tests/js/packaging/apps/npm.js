// Deno's own way to name a package.
import * as redlatch from "npm:redlatch";
import { lockOnce } from "./locker.js";

lockOnce(redlatch, process.argv.at(-1)).then((result) => console.log(JSON.stringify(result)));
