// A contestant in a browser.
import * as redlatch from "redlatch";
import { contend } from "../contest/contend.js";

globalThis.contend = (input, bridge) =>
  contend(redlatch, input, { transport: redlatch.fromWebSocket(bridge) });
