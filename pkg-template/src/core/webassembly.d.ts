// The part of WebAssembly that is used here: its types otherwise come only with all of the browser's.
declare namespace WebAssembly {
  class Module {
    constructor(bytes: Uint8Array);
    static customSections(module: Module, name: string): ArrayBuffer[];
  }
  /** Of the decoder in the inlined wasm. */
  class Instance {
    constructor(module: Module);
    readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; decode(): number };
  }
  function compile(bytes: ArrayBuffer | ArrayBufferView): Promise<Module>;
}

/** The core, compiled by the runtime or the bundler. */
declare module "*/core.wasm" {
  const module: WebAssembly.Module;
  export default module;
}

/** The same, as bundlers for edge runtimes make it. */
declare module "*/core.wasm?module" {
  const module: WebAssembly.Module;
  export default module;
}

/** The memory server, likewise. */
declare module "*/memory.wasm" {
  const module: WebAssembly.Module;
  export default module;
}
