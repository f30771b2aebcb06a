// A contestant in a process of its own: in Node.js, Deno or Bun.
import { contend } from "../contest/contend.js";
import { input, say } from "../support/processes.js";
import { createClient } from "../support/redlatch.js";

await contend({ createClient }, input());
say({ done: true });
