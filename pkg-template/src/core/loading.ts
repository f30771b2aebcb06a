import { InternalError } from "../errors/errors.js";
import { decode, explain, type Inlined, requireWebAssembly } from "./compiling.js";
import { type Instance, instantiate, section, version } from "./redlatch_core.js";

/** Makes a new wasm instance at each call. */
export type CoreLoader = () => Instance;

/** The source of an entry's wasm. It is compiled once, on first use: importing the package costs nothing. */
export interface CoreSource {
  /** Synchronous. Throws an InternalError where the runtime refuses to compile. */
  readonly load: CoreLoader;
  /** Compiles ahead of time, off the thread where the runtime can. Rejects with an InternalError. */
  ready(): Promise<void>;
}

/** From the strings in the package: no bundler can lose it, and reading it needs no permission. */
export function inlineCore(inlined: Inlined): CoreSource {
  let module: WebAssembly.Module | undefined;
  return {
    load() {
      module ??= explain(() => new WebAssembly.Module(decode(inlined)));
      return instantiate(module);
    },
    async ready() {
      module ??= await explain(() => WebAssembly.compile(decode(inlined)));
    },
  };
}

/** From a module that the runtime or the bundler has compiled. */
export function compiledCore(module: WebAssembly.Module): CoreSource {
  return { load: () => instantiate(module), ready: () => Promise.resolve() };
}

/** From whatever the application passes to `ready`. */
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
          "redlatch/slim does not contain the WebAssembly core; await ready(...) before createClient",
        );
      }
      return () => instantiate(supplied);
    },
    async ready(source) {
      const supplied = await fetched(source);
      requireWebAssembly();
      const compiled = await compile(supplied);
      requireVersion(compiled);
      module = compiled;
    },
  };
}

async function compile(source: unknown): Promise<WebAssembly.Module> {
  // By name, because it may be from another realm.
  const kind = Object.prototype.toString.call(source);
  if (kind === "[object WebAssembly.Module]") return source as WebAssembly.Module;
  if (kind === "[object ArrayBuffer]" || ArrayBuffer.isView(source)) {
    const bytes = wasmIn(source as ArrayBuffer | ArrayBufferView);
    return explain(() => WebAssembly.compile(bytes));
  }
  const { ok, status, arrayBuffer } = (source ?? {}) as Partial<WasmResponse>;
  if (typeof arrayBuffer !== "function") {
    throw new TypeError("ready: expected a WebAssembly.Module, its bytes, or a Response with them");
  }
  if (ok === false) throw new InternalError(`the core could not be fetched: HTTP ${status}`);
  return compile(await fetched(arrayBuffer.call(source)));
}

async function fetched<T>(source: T | Promise<T>): Promise<T> {
  try {
    return await source;
  } catch (cause) {
    throw new InternalError("the core could not be fetched; see the cause", { cause });
  }
}

/** A web server may answer with an HTML page when the file is missing. */
function wasmIn(source: ArrayBuffer | ArrayBufferView): Uint8Array {
  const bytes = ArrayBuffer.isView(source)
    ? new Uint8Array(source.buffer, source.byteOffset, source.byteLength)
    : new Uint8Array(source);
  if (String.fromCharCode(...bytes.subarray(0, 4)) === "\0asm") return bytes;
  throw new TypeError("ready: the bytes are not WebAssembly; are they from redlatch/core.wasm?");
}

function requireVersion(module: WebAssembly.Module): void {
  const [found] = WebAssembly.Module.customSections(module, section);
  if (found === undefined) throw new TypeError("ready: the module is not redlatch/core.wasm");
  const other = new TextDecoder().decode(found);
  if (other === version) return;
  throw new TypeError(
    `ready: the core is from redlatch ${other}, but this package is redlatch ${version}; take both from the same package`,
  );
}

/** The part of fetch's Response that is used. */
interface WasmResponse {
  readonly ok: boolean;
  readonly status: number;
  arrayBuffer(): Promise<ArrayBuffer>;
}
