import { fileURLToPath } from "node:url";

const below = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const root = below("");
/** This package's sources. */
export const template = below("pkg-template");
/** The output of wasm-bindgen and wasm-opt. */
export const wasm = below("target/wasm");
/** The generated program that checks the façade. */
export const facade = below("target/facade");
/** The sources compiled as CommonJS, until they are put into the package. */
export const commonjs = below("target/commonjs");
/** The npm package while it is being built, so that pkg/ is never incomplete. */
export const staging = below("target/package");
/** The npm package. */
export const output = below("pkg");

/** The wasm modules: the class in each, the folder of sources that its glue and its inlined bytes go to, and its file. */
export const modules = [
  { module: "redlatch_core", name: "Core", room: "core", file: "core.wasm" },
  { module: "redlatch_memory", name: "MemoryServer", room: "memory", file: "memory.wasm" },
];
