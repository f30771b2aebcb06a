// The parts, in the order in which they are run and printed.
import { cold } from "./cold.js";
import { handover } from "./handover.js";
import { multi } from "./multi.js";
import { pairs } from "./pairs.js";
import { redlock } from "./redlock.js";

export const PARTS = [pairs, redlock, multi, handover, cold];
