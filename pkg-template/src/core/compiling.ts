/** WebAssembly that is inlined in the package: from text to a module, and what is said where there is none. */
import { InternalError } from "../errors/errors.js";

/** The bytes of base64. A plain loop: Uint8Array.from takes tens of milliseconds over as many, on every cold start. */
export function decode(base64: string): Uint8Array {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at += 1) bytes[at] = text.charCodeAt(at);
  return bytes;
}

/** Throws where locks could not be had for want of WebAssembly: better at once than at the first lock. */
export function requireWebAssembly(): void {
  if (typeof WebAssembly !== "undefined") return;
  throw new InternalError(
    "this runtime has no WebAssembly, without which redlatch cannot work; is it switched off, as by --jitless?",
  );
}

/** Says what can be done about a runtime that does not let us compile. */
export function explain<T>(compile: () => T): T {
  const failed = (cause: unknown): never => {
    requireWebAssembly();
    throw new InternalError(
      "this runtime did not compile redlatch's WebAssembly; where a content security policy forbids that, allow 'wasm-unsafe-eval'; where only what the runtime or a bundler has compiled is allowed, as in Cloudflare Workers, bundle with the condition \"workerd\" or hand redlatch/core.wasm to redlatch/slim",
      { cause },
    );
  };
  try {
    const compiled = compile();
    return compiled instanceof Promise ? (compiled.catch(failed) as T) : compiled;
  } catch (error) {
    return failed(error);
  }
}
