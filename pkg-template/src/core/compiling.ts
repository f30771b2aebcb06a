/** Compiles the WebAssembly that is inlined in the package, and explains where a runtime does not allow it. */
import { InternalError } from "../errors/errors.js";

/** A wasm as two strings of ASCII characters, which build/inline.mjs makes. */
export interface Inlined {
  readonly text: string;
  /** A small wasm in base64. It decodes the text in place, in its memory. */
  readonly decoder: string;
}

/** Where the decoder expects the text. */
const START = 256;

/** Decodes an inlined wasm. A loop in JavaScript would take milliseconds, on every cold start. */
export function decode({ text, decoder }: Inlined): Uint8Array {
  const code = Uint8Array.from(atob(decoder), (character) => character.charCodeAt(0));
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(code));
  const bytes = new Uint8Array(exports.memory.buffer);
  new TextEncoder().encodeInto(text, bytes.subarray(START));
  return bytes.subarray(START, exports.decode());
}

/** Throws where there is no WebAssembly: better now than at the first lock. */
export function requireWebAssembly(): void {
  if (typeof WebAssembly !== "undefined") return;
  throw new InternalError(
    "this runtime has no WebAssembly, which redlatch requires; is it disabled, for example by --jitless?",
  );
}

/** Explains what to do about a runtime that refuses to compile. */
export function explain<T>(compile: () => T): T {
  const failed = (cause: unknown): never => {
    requireWebAssembly();
    throw new InternalError(
      "this runtime refused to compile redlatch's WebAssembly; if a content security policy forbids it, allow 'wasm-unsafe-eval'; if only precompiled modules are allowed, as in Cloudflare Workers, bundle with the condition \"workerd\" or pass redlatch/core.wasm to redlatch/slim",
      { cause },
    );
  };
  try {
    const compiled = compile();
    // Not by instanceof: the promise may come from another realm.
    const { then } = compiled as { then?: unknown };
    return typeof then === "function" ? (Promise.resolve(compiled).catch(failed) as T) : compiled;
  } catch (error) {
    return failed(error);
  }
}
