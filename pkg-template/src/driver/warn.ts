/** The globals through which a runtime can warn. */
interface Globals {
  readonly process?: { emitWarning?(message: string, options: { type: string; code: string }): void };
  readonly console?: { warn(message: string): void };
}

/** Warns whoever runs the process: with a process warning where there is such a thing, otherwise on the console. */
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
