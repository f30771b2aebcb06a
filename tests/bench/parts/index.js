// The parts, in the order in which they are run and printed.
import { cold } from "./cold.js";
import { handover } from "./handover.js";
import { limits } from "./limits.js";
import { memory } from "./memory.js";
import { multi } from "./multi.js";
import { pairs } from "./pairs.js";
import { redlock } from "./redlock.js";
import { renewals } from "./renewals.js";
import { tasks } from "./tasks.js";
import { waiting } from "./waiting.js";

export const PARTS = [pairs, tasks, limits, redlock, multi, handover, waiting, renewals, memory, cold];
