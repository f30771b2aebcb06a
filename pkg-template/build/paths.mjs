import { fileURLToPath } from "node:url";

const below = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

export const root = below("");
/** This package's sources. */
export const template = below("pkg-template");
/** What wasm-bindgen and wasm-opt made. */
export const wasm = below("target/wasm");
/** The façade's check, a generated program. */
export const facade = below("target/facade");
/** The npm package while it is being made, so that there is never half of one. */
export const staging = below("target/package");
/** The npm package. */
export const output = below("pkg");

/** The wasm modules: the class in each, the folder of sources that its glue and its inlined bytes go to, and its file. */
export const modules = [
  { module: "redlatch_core", name: "Core", room: "core", file: "core.wasm" },
  { module: "redlatch_memory", name: "MemoryServer", room: "memory", file: "memory.wasm" },
];
