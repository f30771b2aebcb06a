import { InternalError } from "./errors.js";
import { type Instance, instantiate } from "./wasm/redlatch_core.js";

/** Makes a wasm instance of its own at each call. */
export type CoreLoader = () => Instance;

/** Where an entry has the wasm from. It is compiled once, on first use: importing the package costs nothing. */
export interface CoreSource {
  /** Synchronous. Throws an InternalError where the runtime does not let us. */
  readonly load: CoreLoader;
  /** Compiles beforehand, off the thread where the runtime can. Rejects with an InternalError. */
  ready(): Promise<void>;
}

/** From the base64 text in the package: no bundler can lose it, no permission is needed to read it. */
export function inlineCore(base64: string): CoreSource {
  let module: WebAssembly.Module | undefined;
  const bytes = () => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return {
    load() {
      module ??= explain(() => new WebAssembly.Module(bytes()));
      return instantiate(module);
    },
    async ready() {
      module ??= await explain(() => WebAssembly.compile(bytes()));
    },
  };
}

/** From a module that the runtime or the bundler has compiled. */
export function compiledCore(module: WebAssembly.Module): CoreSource {
  return { load: () => instantiate(module), ready: () => Promise.resolve() };
}

/** From whatever the application hands to `ready`. */
export function suppliedCore(): {
  /** Throws a TypeError before `ready` is done. */
  loader(): CoreLoader;
  ready(source: object | Promise<object>): Promise<void>;
} {
  let module: WebAssembly.Module | undefined;
  return {
    loader() {
      const supplied = module;
      if (supplied === undefined) {
        throw new TypeError(
          "redlatch/slim has no WebAssembly of its own; await ready(...) before createClient",
        );
      }
      return () => instantiate(supplied);
    },
    async ready(source) {
      module = await compile(await source);
    },
  };
}

async function compile(source: object): Promise<WebAssembly.Module> {
  // By name, for it may be of another realm.
  const kind = Object.prototype.toString.call(source);
  if (kind === "[object WebAssembly.Module]") return source as WebAssembly.Module;
  if (kind === "[object ArrayBuffer]" || ArrayBuffer.isView(source)) {
    return explain(() => WebAssembly.compile(source as ArrayBuffer));
  }
  const { ok, status, arrayBuffer } = (source ?? {}) as Partial<WasmResponse>;
  if (typeof arrayBuffer !== "function") {
    throw new TypeError("ready takes a WebAssembly.Module, its bytes, or a Response with them");
  }
  if (ok === false) throw new InternalError(`the core could not be fetched: HTTP ${status}`);
  return compile(await arrayBuffer.call(source));
}

/** As much of fetch's Response as is needed. */
interface WasmResponse {
  readonly ok: boolean;
  readonly status: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** Throws where locks could not be had for want of WebAssembly: better at once than at the first lock. */
export function requireWebAssembly(): void {
  if (typeof WebAssembly !== "undefined") return;
  throw new InternalError(
    "this runtime has no WebAssembly, without which redlatch cannot work; is it switched off, as by --jitless?",
  );
}

/** Says what can be done about a runtime that does not let us compile. */
function explain<T>(compile: () => T): T {
  const failed = (cause: unknown): never => {
    requireWebAssembly();
    throw new InternalError(
      "this runtime did not compile redlatch's WebAssembly; where a content security policy forbids that, allow 'wasm-unsafe-eval'; where only what the runtime or a bundler has compiled is allowed, hand redlatch/core.wasm to redlatch/slim",
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
