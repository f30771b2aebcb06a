/** Compiles the WebAssembly that is inlined in the package, and explains where a runtime does not allow it. */
import { InternalError } from "../errors/errors.js";

/** Decodes base64. A plain loop: Uint8Array.from takes tens of milliseconds for this many bytes, on every cold start. */
export function decode(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
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
