// A route on the edge, where there are no sockets.
import * as redlatch from "redlatch";
import { lockOnce } from "./locker.js";

export const lock = (transport) => lockOnce(redlatch, { transport });
