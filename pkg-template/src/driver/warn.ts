/** The parts of a runtime's globals with which it tells people something. */
interface Globals {
  readonly process?: { emitWarning?(message: string, options: { type: string; code: string }): void };
  readonly console?: { warn(message: string): void };
}

/** Tells the people who run the process, once for each call: as a process warning where there is such a thing. */
export function warn(message: string, code: string): void {
  const { process, console } = globalThis as Globals;
  try {
    if (typeof process?.emitWarning === "function")
      process.emitWarning(message, { type: "RedlatchWarning", code });
    else console?.warn(`redlatch: ${message}`);
  } catch {
    // A runtime that cannot warn is no reason to fail.
  }
}
