import * as redlatch from "redlatch";
import { lockOnce } from "./locker.js";

lockOnce(redlatch, process.argv.at(-1)).then((result) => console.log(JSON.stringify(result)));
