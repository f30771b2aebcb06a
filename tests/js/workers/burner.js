// Keeps a processor busy until it is killed.
import { stall } from "../support/conditions.js";

stall(Infinity);
