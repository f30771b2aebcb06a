// What a page would be: it brings a transport, for a browser has no sockets.
import * as redlatch from "redlatch";
import { lockOnce } from "./locker.js";

export const lock = (transport) => lockOnce(redlatch, { transport });
